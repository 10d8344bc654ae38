/**
 * `npm run deb`: a package for Debian and its kin, with the Node that builds it inside, because what they ship is older than
 * what Slipway needs. Made with Debian's own `dpkg-deb`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from './build.ts';
import { layOut, SETTINGS, type Habits } from './system-tree.ts';
import { VERSION } from './version.ts';

/** Debian's words for what Node calls `x64` and `arm64`. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const HABITS: Habits = {
  zsh: 'zsh/vendor-completions',
  fish: 'fish/vendor_completions.d',
  licence: 'doc/slipway/copyright',
};

/** @param dist a build @param folder where the package goes @returns its path @throws Error where it cannot be made */
export function debianPackage(dist: string, folder: string): string {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux' || architecture === undefined)
    throw new Error(`There is no Debian for ${process.platform}-${process.arch}.`);
  const tree = mkdtempSync(join(tmpdir(), 'slipway-deb-'));
  try {
    const put = layOut(tree, dist, HABITS);
    put('DEBIAN/conffiles', `${SETTINGS}\n`);
    put('DEBIAN/control', control(architecture));
    const file = join(folder, `slipway_${VERSION}_${architecture}.deb`);
    const made = spawnSync('dpkg-deb', ['--root-owner-group', '-Zzstd', '--build', tree, file], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`dpkg-deb: ${made.error?.message ?? made.stderr}`);
    return file;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
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
