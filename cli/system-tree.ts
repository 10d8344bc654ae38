/** Where everything lies once Slipway is installed: what packages of Linux distributions hold, whatever their format. */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));

const LAUNCHER = `#!/bin/sh
exec /usr/lib/slipway/node /usr/lib/slipway/dist/slipway.js "$@"
`;

/** What distributions do not agree on. */
export interface Habits {
  /** Below `/usr/share`: where zsh looks for completions, and fish. */
  readonly zsh: string;
  readonly fish: string;
  readonly licence: string;
}

/** The one file that an administrator changes. */
export const SETTINGS = '/etc/slipway/slipway.env';

/** @param tree takes the place of `/` @param dist a build @returns puts one more file there */
export function layOut(
  tree: string,
  dist: string,
  { zsh, fish, licence }: Habits,
): (path: string, text: string) => void {
  chmodSync(tree, 0o755);
  const put = (path: string, content: string | Uint8Array, mode = 0o644): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true, mode: 0o755 });
    writeFileSync(join(tree, path), content);
    chmodSync(join(tree, path), mode);
  };
  const lib = join(tree, 'usr/lib/slipway');
  mkdirSync(lib, { recursive: true });
  cpSync(dist, join(lib, 'dist'), {
    recursive: true,
    filter: (path) => !/\.(deb|rpm)$|\/(man|completions)$/.test(path),
  });
  copyFileSync(process.execPath, join(lib, 'node'));
  chmodSync(join(lib, 'node'), 0o755);
  put('usr/bin/slipway', LAUNCHER, 0o755);
  const page = (name: string): void =>
    put(`usr/share/man/man1/${name}.gz`, gzipSync(readFileSync(join(dist, 'man', name)), { level: 9 }));
  const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: string[] };
  man.forEach((path) => page(path.slice(path.lastIndexOf('/') + 1)));
  const completion = (name: string): Buffer => readFileSync(join(dist, 'completions', name));
  put('usr/share/bash-completion/completions/slipway', completion('slipway'));
  put(`usr/share/${zsh}/_slipway`, completion('_slipway'));
  put(`usr/share/${fish}/slipway.fish`, completion('slipway.fish'));
  const packaging = (path: string): Buffer => readFileSync(join(root, 'packaging', path));
  put('usr/lib/systemd/system/slipway.service', packaging('systemd/slipway.service'));
  put(SETTINGS.slice(1), packaging('systemd/slipway.env'), 0o600);
  put(`usr/share/${licence}`, copyright(dist));
  return put;
}

/** Slipway's own licence, Node's, and those of what is bundled. */
function copyright(dist: string): string {
  const ofNode = join(dirname(process.execPath), '../LICENSE');
  const texts = [
    readFileSync(join(root, 'LICENSE'), 'utf8'),
    existsSync(ofNode)
      ? readFileSync(ofNode, 'utf8')
      : 'Node.js: see https://github.com/nodejs/node/blob/main/LICENSE\n',
    readFileSync(join(dist, 'THIRD-PARTY.txt'), 'utf8'),
  ];
  return texts.join(`\n${'='.repeat(80)}\n\n`);
}
