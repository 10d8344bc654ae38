/**
 * `npm run deb`: a package for Debian and its kin, with the Node that builds it inside, because what they ship is older than
 * what Slipway needs. Made with Debian's own `dpkg-deb`.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from './build.ts';
import { VERSION } from './version.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Debian's words for what Node calls `x64` and `arm64`. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const LAUNCHER = `#!/bin/sh
exec /usr/lib/slipway/node /usr/lib/slipway/dist/slipway.js "$@"
`;

/** @param dist a build @param folder where the package goes @returns its path @throws Error where it cannot be made */
export function debianPackage(dist: string, folder: string): string {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux' || architecture === undefined)
    throw new Error(`There is no Debian for ${process.platform}-${process.arch}.`);
  const tree = mkdtempSync(join(tmpdir(), 'slipway-deb-'));
  try {
    chmodSync(tree, 0o755);
    layOut(tree, dist, architecture);
    const file = join(folder, `slipway_${VERSION}_${architecture}.deb`);
    const made = spawnSync('dpkg-deb', ['--root-owner-group', '-Zzstd', '--build', tree, file], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`dpkg-deb: ${made.error?.message ?? made.stderr}`);
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

function layOut(tree: string, dist: string, architecture: string): void {
  const put = (path: string, content: string | Uint8Array, mode = 0o644): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true, mode: 0o755 });
    writeFileSync(join(tree, path), content);
    chmodSync(join(tree, path), mode);
  };
  const lib = join(tree, 'usr/lib/slipway');
  mkdirSync(lib, { recursive: true });
  cpSync(dist, join(lib, 'dist'), { recursive: true, filter: (path) => !/\.deb$|\/(man|completions)$/.test(path) });
  copyFileSync(process.execPath, join(lib, 'node'));
  chmodSync(join(lib, 'node'), 0o755);
  put('usr/bin/slipway', LAUNCHER, 0o755);
  const page = (name: string): void =>
    put(`usr/share/man/man1/${name}.gz`, gzipSync(readFileSync(join(dist, 'man', name)), { level: 9 }));
  const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: string[] };
  man.forEach((path) => page(path.slice(path.lastIndexOf('/') + 1)));
  const completion = (name: string): Buffer => readFileSync(join(dist, 'completions', name));
  put('usr/share/bash-completion/completions/slipway', completion('slipway'));
  put('usr/share/zsh/vendor-completions/_slipway', completion('_slipway'));
  put('usr/share/fish/vendor_completions.d/slipway.fish', completion('slipway.fish'));
  const packaging = (path: string): Buffer => readFileSync(join(root, 'packaging', path));
  put('usr/lib/systemd/system/slipway.service', packaging('systemd/slipway.service'));
  put('etc/slipway/slipway.env', packaging('systemd/slipway.env'), 0o600);
  put('usr/share/doc/slipway/copyright', copyright(dist));
  put('DEBIAN/conffiles', '/etc/slipway/slipway.env\n');
  put('DEBIAN/control', control(architecture));
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

const control = (architecture: string): string => `Package: slipway
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: Slipway <slipway@localhost>
Section: net
Priority: optional
Depends: libc6 (>= 2.28), libstdc++6, git
Recommends: ca-certificates, npm
Suggests: bubblewrap, docker.io | podman, openssh-client
Description: GitOps for MCP
 Push YAML to git; Slipway launches the MCP servers it names, rolls changes out
 without a gap, and serves them to a team and its coding agents through one
 gateway.
`;

if (import.meta.main) {
  const dist = dirname(await build());
  console.log(debianPackage(dist, dist));
}
