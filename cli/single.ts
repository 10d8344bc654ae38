/**
 * `npm run single`: all of it in one file that needs nothing installed but `sh`, `tar` and `gzip`: a script, and behind it an archive of
 * the program and its Node, which the first run lays out in the user's cache. Node's own way (SEA) takes one CommonJS file, which
 * ES modules with top-level await cannot become.
 */
import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { chmodSync, copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from './build.ts';
import { VERSION } from './version.ts';

/** Lines of {@link script}: the archive begins behind them. */
const LINES = 20;

/** @param dist a build @param folder where the file goes @returns its path @throws Error where it cannot be made */
export function singleFile(dist: string, folder: string): string {
  const tree = mkdtempSync(join(tmpdir(), 'slipway-single-'));
  try {
    cpSync(dist, join(tree, 'dist'), {
      recursive: true,
      filter: (path) => !/\.(deb|rpm)$|\/slipway-[a-z]+-[a-z0-9]+$/.test(path),
    });
    copyFileSync(process.execPath, join(tree, 'node'));
    chmodSync(join(tree, 'node'), 0o755);
    const archive = join(tree, 'all.tgz');
    const made = spawnSync('tar', ['-czf', archive, '-C', tree, 'node', 'dist'], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`tar: ${made.error?.message ?? made.stderr}`);
    const bytes = readFileSync(archive);
    const file = join(folder, `slipway-${process.platform}-${process.arch}`);
    writeFileSync(file, Buffer.concat([Buffer.from(script(hash('sha256', bytes).slice(0, 16))), bytes]));
    chmodSync(file, 0o755);
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** A run that is cut short leaves nothing that a later one would take for whole; two at once lay out the same. */
function script(digest: string): string {
  const text = `#!/bin/sh
# Slipway ${VERSION}: this script, and behind it the program and its Node as an archive.
set -eu
cache=\${XDG_CACHE_HOME:-$HOME/.cache}/slipway
home=$cache/${VERSION}-${digest}
if [ ! -d "$home" ]; then
  umask 077
  mkdir -p "$cache"
  new=$(mktemp -d "$cache/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT INT TERM
  tail -n +${LINES + 1} "$0" | tar -xzf - -C "$new"
  [ -d "$home" ] || mv "$new" "$home"
  rm -rf "$new"
  trap - EXIT INT TERM
fi
exec "$home/node" "$home/dist/slipway.js" "$@"
`;
  const missing = LINES - text.split('\n').length + 1;
  return `${text}${'#\n'.repeat(missing)}`;
}

if (import.meta.main) {
  const dist = dirname(await build());
  console.log(singleFile(dist, dist));
}
