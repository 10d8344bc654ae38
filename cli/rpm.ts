/**
 * `npm run rpm`: a package for Fedora, RHEL, openSUSE and their kin, with the Node that builds it inside. Made with `rpmbuild`, wherever
 * that is installed.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from './build.ts';
import { layOut, SETTINGS, type Habits } from './system-tree.ts';
import { VERSION } from './version.ts';

/** RPM's words for what Node calls `x64` and `arm64`. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

const HABITS: Habits = {
  zsh: 'zsh/site-functions',
  fish: 'fish/vendor_completions.d',
  licence: 'licenses/slipway/LICENSE',
};

/** @param dist a build @param folder where the package goes @returns its path @throws Error where it cannot be made */
export function rpmPackage(dist: string, folder: string): string {
  const architecture = ARCHITECTURES[process.arch];
  if (process.platform !== 'linux' || architecture === undefined)
    throw new Error(`There is no RPM for ${process.platform}-${process.arch}.`);
  const top = mkdtempSync(join(tmpdir(), 'slipway-rpm-'));
  try {
    const tree = join(top, 'tree');
    mkdirSync(tree);
    layOut(tree, dist, HABITS);
    writeFileSync(join(top, 'slipway.spec'), spec(tree, architecture));
    const args = ['-bb', '--quiet', '--target', architecture, '--define', `_topdir ${top}`, join(top, 'slipway.spec')];
    const made = spawnSync('rpmbuild', args, { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`rpmbuild: ${made.error?.message ?? made.stderr}`);
    const [name = ''] = readdirSync(join(top, 'RPMS', architecture));
    const file = join(folder, name);
    renameSync(join(top, 'RPMS', architecture, name), file);
    return file;
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
}

/** The tree is there already: nothing is unpacked, compiled or stripped, and what is in the Node is nobody's to require. */
const spec = (tree: string, architecture: string): string => `Name: slipway
Version: ${VERSION.replaceAll('-', '~')}
Release: 1
Summary: GitOps for MCP
License: Apache-2.0
BuildArch: ${architecture}
Requires: git
Recommends: ca-certificates
Recommends: npm
Suggests: bubblewrap
AutoReqProv: no
%global debug_package %{nil}
%global __os_install_post %{nil}
%global _build_id_links none

%description
Push YAML to git; Slipway launches the MCP servers it names, rolls changes out
without a gap, and serves them to a team and its coding agents through one
gateway.

%install
cp -a ${tree}/. %{buildroot}/

%files
%defattr(-,root,root)
%dir /etc/slipway
%config(noreplace) %attr(600,root,root) ${SETTINGS}
/usr/bin/slipway
/usr/lib/slipway
/usr/lib/systemd/system/slipway.service
/usr/share/man/man1/*
/usr/share/bash-completion/completions/slipway
/usr/share/${HABITS.zsh}/_slipway
/usr/share/${HABITS.fish}/slipway.fish
/usr/share/${HABITS.licence}
`;

if (import.meta.main) {
  const dist = dirname(await build());
  console.log(rpmPackage(dist, dist));
}
