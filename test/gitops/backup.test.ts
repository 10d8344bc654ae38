/** Backups are commits, and what is lost comes back from them, on whichever machine, as a commit, too. */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Backups, type BackupResult } from '../../reconciler/backup/backups.ts';
import { memoryParseCache } from '../../reconciler/parse-cache.ts';
import { preview } from '../../reconciler/preview.ts';
import { directorySource } from '../../reconciler/source/directory.ts';
import { seal } from '../../reconciler/secrets/age.ts';
import { Workspaces } from '../../reconciler/workspaces/workspaces.ts';
import { observe } from '../../reconciler/world.ts';
import { hasChanges } from '../../schemas/plan.ts';
import { cli, type Said } from '../helpers/cli.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { git, writeFiles, type Files } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { keyFile, openPlain } from '../helpers/secrets.ts';
import { Desk } from '../helpers/slipway.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';

let dir: TempDir;
let rig: Rig;
const signal = new AbortController().signal;

beforeEach(async () => {
  dir = tempDir();
  rig = await Rig.make({ backups: true });
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const now = async (): Promise<BackupResult> => {
  const { world } = rig.reconciler;
  if (!world.backups) throw new Error('this rig makes no backups');
  return world.backups.now(world);
};
const backup = (spec: Readonly<Record<string, unknown>> = {}): string => resource('Backup', 'nightly', spec);
const tree = (ref = 'slipway/backup'): string[] =>
  git(rig.repo.remote, 'ls-tree', '-r', '--name-only', ref).split('\n');
const show = (path: string, ref = 'slipway/backup'): string => git(rig.repo.remote, 'show', `${ref}:${path}`);
const count = (): number => Number(git(rig.repo.remote, 'rev-list', '--count', 'slipway/backup'));
const slipway = (args: readonly string[], cwd = rig.repo.work): Promise<Said> =>
  cli([...args, '--from', rig.repo.remote], { cwd });

/** Comments and layout of somebody's own. */
const TEAM = `# Who may come in.
apiVersion: slipway/v1
kind: Token
metadata: { name: ci } # the build server
spec: { sha256: ${'a'.repeat(64)} }
---
apiVersion: slipway/v1
kind: Project
metadata: { name: dev }
spec: { servers: [one] }
`;

async function everything(): Promise<Files> {
  const { recipient } = await keyFile(dir.at('age.key'));
  const sealed = await seal({ secret: 'keys', key: 'token' }, 'the-value-itself', [recipient]);
  return {
    'backup.yaml': backup(),
    'team.yaml': TEAM,
    'keys.yaml': resource('Secret', 'keys', { encrypted: { token: sealed } }),
    'one.yaml': memoryServer('one', 'v1', { files: ['bin/run.sh'] }),
    'bin/run.sh': { executable: '#!/bin/sh\necho hi\n' },
    'prompts/review.md': '# Review\n',
    'slipway.lock.yaml': 'formatVersion: 1\nservers: {}\n',
    'overlay.yaml': resource('Overlay', 'prod', {
      environments: ['prod'],
      patches: [
        { target: { kind: 'Server', name: 'one' }, patch: [{ op: 'replace', path: '/spec/command/1', value: 'v9' }] },
      ],
    }),
  };
}

test('back up, lose the config, restore on a fresh machine: there is nothing to do', async () => {
  const id = await rig.apply(await everything());
  const made = await now();
  expect(made).toMatchObject({ made: true, resources: 6, delivered: true, left: [], masked: [] });
  expect(tree()).toEqual([
    'backup.json',
    ...[
      'backup.yaml',
      'bin/run.sh',
      'keys.yaml',
      'one.yaml',
      'overlay.yaml',
      'prompts/review.md',
      'slipway.lock.yaml',
      'team.yaml',
    ].map((name) => `config/${name}`),
    'effective.yaml',
  ]);
  expect(show('config/team.yaml')).toBe(TEAM.trim());
  expect(show('effective.yaml')).toContain('a'.repeat(64));
  expect(git(rig.repo.remote, 'log', '-p', 'slipway/backup')).not.toContain('the-value-itself');
  const told = git(rig.repo.remote, 'log', '-1', '--format=%an%n%s%n%b', 'slipway/backup');
  expect(told).toMatch(
    new RegExp(
      `^slipway\\nbackup of ${id.slice(0, 8)}: 6 resources\\nSlipway-Backup: ${made.name}\\nSlipway-Commit: ${id}\\n`,
    ),
  );

  const fresh = dir.at('fresh');
  mkdirSync(fresh);
  git(fresh, 'init', '--quiet', '--initial-branch=main');
  expect(await slipway(['restore', 'latest'], fresh)).toMatchObject({
    code: 0,
    err: expect.stringContaining('committed'),
  });
  expect(git(fresh, 'log', '-1', '--format=%s')).toBe(`Restore ${made.name}, the config of ${id.slice(0, 8)}`);
  expect(git(fresh, 'status', '--porcelain')).toBe('');
  expect(readFileSync(join(fresh, 'team.yaml'), 'utf8')).toBe(TEAM);
  expect(statSync(join(fresh, 'bin/run.sh')).mode & 0o111).toBe(0o111);
  await using source = directorySource(fresh);
  const { issues, plan } = await preview(
    source,
    await observe(rig.reconciler.world, signal),
    memoryParseCache(),
    signal,
  );
  expect([issues, plan && hasChanges(plan)]).toEqual([[], false]);
});

test('the same config makes no second commit, a pass makes none, and a backup is no reason for a pass', async () => {
  await rig.apply(await everything());
  const first = await now();
  expect(await now()).toMatchObject({ made: false, name: first.name });
  await rig.reconciler.sync();
  expect(count()).toBe(1);
  await rig.apply({ 'one.yaml': memoryServer('one', 'v2') });
  expect(await now()).toMatchObject({ made: true });
  expect(count()).toBe(2);
  expect(rig.reconciler.world.accepted?.id).toBe(rig.repo.git('rev-parse', 'HEAD'));
});

test('a value that somebody wrote in clear is not in it; restored, it is what the config has, or empty and told', async () => {
  const env = [
    { name: 'API_KEY', value: 'in-clear-1234' },
    { name: 'MODE', value: 'fast' },
  ];
  await rig.apply({ 'backup.yaml': backup(), 'x.yaml': memoryServer('x', 'v1', { env }) });
  expect(await now()).toMatchObject({
    masked: [{ file: 'x.yaml', address: 'Server/x', path: 'spec.env.API_KEY.value' }],
  });
  expect(git(rig.repo.remote, 'log', '-p', 'slipway/backup')).not.toContain('in-clear');
  rig.repo.push({ 'x.yaml': memoryServer('x', 'v2', { env }) });
  await slipway(['restore', 'latest', '--only', 'server/x']);
  expect(readFileSync(join(rig.repo.work, 'x.yaml'), 'utf8')).toContain('"in-clear-1234"');
  expect(readFileSync(join(rig.repo.work, 'x.yaml'), 'utf8')).toContain('v1');
  rig.repo.push({ 'x.yaml': null });
  const said = await slipway(['restore', 'latest', '--only', 'server/x']);
  expect(said.err).toContain('left empty, because no backup holds values in clear: Server/x spec.env.API_KEY.value');
});

describe('what is in the config, too', () => {
  beforeEach(async () => {
    await rig.apply({ ...(await everything()), 'two.yaml': memoryServer('two', 'v1', { description: 'as it was' }) });
    await now();
    rig.repo.push({
      'one.yaml': null,
      'overlay.yaml': null,
      'two.yaml': `# mine\n${memoryServer('two', 'v7', { description: 'as it is', timeout: '5s' })}`,
      'new.yaml': memoryServer('new'),
      'team.yaml': null,
      'prompts/review.md': '# Other\n',
    });
  });
  const file = (path: string): string => readFileSync(join(rig.repo.work, path), 'utf8');

  test.each([
    ['skip', ['"v7"', 'as it is', '5s'], '# Other\n'],
    ['merge', ['"v1"', 'as it was', '5s'], '# Review\n'],
    ['overwrite', ['"v1"', 'as it was'], '# Review\n'],
  ])('%s', async (strategy, words, prompt) => {
    const said = await slipway(['restore', 'latest', '--strategy', strategy]);
    expect(said).toMatchObject({ code: 0 });
    for (const word of ['"v1"', '"v7"', 'as it was', 'as it is', '5s'])
      expect([word, file('two.yaml').includes(word)]).toEqual([word, words.includes(word)]);
    expect(file('two.yaml')).toContain('# mine');
    expect(file('prompts/review.md')).toBe(prompt);
    expect([file('team.yaml'), file('new.yaml')]).toEqual([TEAM, memoryServer('new')]);
  });

  test('one thing only, with the files that it needs; looked at first; on a branch', async () => {
    rig.repo.push({ 'bin/run.sh': null });
    const before = rig.repo.git('rev-parse', 'HEAD');
    const dry = await slipway(['restore', 'latest', '--only', 'server/one', '--dry-run', '--diff']);
    expect(dry.out).toContain('+++ b/one.yaml');
    expect([rig.repo.git('status', '--porcelain'), rig.repo.git('rev-parse', 'HEAD')]).toEqual(['', before]);
    await slipway(['restore', 'latest', '--only', 'server/one', '--branch', 'again', '--repo', rig.repo.remote]);
    expect(git(rig.repo.remote, 'diff', '--name-only', 'main', 'again').split('\n')).toEqual([
      'bin/run.sh',
      'one.yaml',
    ]);
    expect(git(rig.repo.remote, 'ls-tree', 'again', 'bin/run.sh')).toMatch(/^100755/);
    expect((await slipway(['restore', 'latest', '--only', 'server/nobody'])).err).toContain(
      'The backup has no Server named nobody',
    );
    expect((await slipway(['restore', '2020'])).err).toContain('There is no backup 2020');
  });

  test('diff tells what has changed since', async () => {
    const said = await slipway(['backup', 'diff', 'latest']);
    expect(said.code).toBe(2);
    expect(said.out).toMatch(/- +Server\/one will be deleted/);
    expect(said.out).toMatch(/\+ +Server\/new will be created/);
    expect(await slipway(['backup', 'diff', 'latest', 'latest'])).toMatchObject({ code: 0 });
  });
});

test('a remote that is away, and a crash, lose nothing and double nothing', async () => {
  await rig.apply(await everything());
  const away = `${rig.repo.remote}.away`;
  renameSync(rig.repo.remote, away);
  expect(await now()).toMatchObject({ made: true, delivered: false, error: expect.any(String) });
  expect((await rig.reconciler.status()).backup).toMatchObject({ pending: 1, lastError: expect.any(String) });
  renameSync(away, rig.repo.remote);
  // As after a crash: another one finds what waits, and delivers it, once.
  const { world: there, status } = rig.reconciler;
  await using next = new Backups({ dir: rig.state.paths.backups, remote: rig.repo.url, log: rig.log, version: 'test' });
  next.follow(there);
  await expect.poll(() => next.state()?.pending, { timeout: 30_000 }).toBe(0);
  expect(count()).toBe(1);
  expect(await next.now(there)).toMatchObject({ made: false });
  await now();
  expect([count(), (await status()).backup?.pending]).toEqual([1, 0]);
});

test('older ones go, and those that stay keep their names and are whole; tampering is told', async () => {
  await rig.apply({ 'backup.yaml': backup({ keep: 2 }) });
  const names: string[] = [];
  for (const version of ['v1', 'v2', 'v3', 'v4']) {
    await rig.apply({ 'one.yaml': memoryServer('one', version) });
    names.unshift((await now()).name);
  }
  expect(count()).toBe(2);
  const listed = JSON.parse((await slipway(['backup', 'list', '-o', 'json'])).out) as { name: string }[];
  expect(listed.map(({ name }) => name)).toEqual(names.slice(0, 2));
  expect(await slipway(['backup', 'verify'])).toMatchObject({
    code: 0,
    out: names
      .slice(0, 2)
      .map((name) => `${name} is whole`)
      .join('\n'),
  });

  const work = dir.at('work');
  git(dir.path, 'clone', '--quiet', '--branch', 'slipway/backup', rig.repo.remote, work);
  writeFileSync(join(work, 'config/one.yaml'), memoryServer('one', 'v666'));
  writeFiles(work, { 'config/evil.yaml': memoryServer('evil') });
  git(work, 'add', '.');
  git(work, 'commit', '--quiet', '--amend', '--no-edit');
  git(work, 'push', '--quiet', '--force');
  const said = await slipway(['backup', 'verify']);
  expect(said).toMatchObject({
    code: 1,
    out: expect.stringContaining(`${names[0]}: config/one.yaml was changed; config/evil.yaml was added`),
  });
});

test('one that fell due while Slipway was away is made when it is back; another repo keeps them, if that is asked for', async () => {
  const other = dir.at('elsewhere.git');
  git(dir.path, 'init', '--quiet', '--bare', other);
  await rig.apply({
    'backup.yaml': backup({ schedule: '0 0 1 1 *', repo: `file://${other}` }),
    'one.yaml': memoryServer('one'),
  });
  const last = { name: '2019', at: '2019-01-01T00:00:00Z', digest: '' };
  writeFileSync(join(rig.state.paths.backups, 'last.json'), JSON.stringify(last));
  await using back = new Backups({ dir: rig.state.paths.backups, remote: rig.repo.url, log: rig.log, version: 'test' });
  back.follow(rig.reconciler.world);
  await expect.poll(() => back.state()?.lastCommit, { timeout: 30_000 }).toMatch(/^[0-9a-f]{40}$/);
  expect(git(other, 'ls-tree', '--name-only', 'slipway/backup').split('\n')).toContain('backup.json');
  expect(git(rig.repo.remote, 'branch', '--list', 'slipway/*')).toBe('');
  expect(back.state()).toMatchObject({ next: expect.stringMatching(/-01-01T00:00:00.000Z$/), pending: 0 });
});

test('named workspaces come along: text, and nothing that looks like a secret', async () => {
  const notes = dir.at('notes');
  writeFiles(notes, {
    'a/readme.md': '# Notes\n',
    'key.txt': `token: ghp_${'a1B2'.repeat(9)}\n`,
    'picture.png': Uint8Array.from([0x89, 0x50, 0xff]),
    'out.log': 'left out by the Workspace itself\n',
    link: { link: '/etc/hostname' },
  });
  await rig.apply({
    'backup.yaml': backup({ workspaces: ['notes'] }),
    'notes.yaml': resource('Workspace', 'notes', { path: notes, exclude: ['*.log'] }),
  });
  const { log, state, reconciler } = rig;
  await using workspaces = new Workspaces({ dir: state.paths.workspaces, secrets: openPlain, log, changed: () => {} });
  const options = {
    dir: state.paths.backups,
    remote: rig.repo.url,
    log,
    version: 'test',
    workspaces: () => workspaces,
  };
  await using own = new Backups(options);
  expect((await own.now(reconciler.world)).left).toEqual([{ path: 'workspaces/notes', reason: 'not synced yet' }]);
  workspaces.configure(reconciler.world.compiled.workspaces);
  await workspaces.sync();
  expect(await own.now(reconciler.world)).toMatchObject({
    made: true,
    left: [
      { path: 'workspaces/notes/key.txt', reason: 'it holds what looks like a secret' },
      { path: 'workspaces/notes/picture.png', reason: 'not text' },
    ],
  });
  expect(tree().filter((path) => path.startsWith('workspaces/'))).toEqual(['workspaces/notes/a/readme.md']);
  expect((await slipway(['backup', 'verify'])).code).toBe(0);
  expect(await own.now(reconciler.world)).toMatchObject({ made: false });
});

test('a real Slipway is asked for one', async () => {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': resource('Gateway', 'main', {}), 'backup.yaml': backup() });
  await desk.up();
  const at = ['--state-dir', desk.state];
  expect(await desk.slipway(['backup', 'now', ...at])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^backed up as \d{8}T\d{9}Z: 2 resources$/),
  });
  const listed = /^NAME +AGE +OF +COMMIT +ABOUT\n\d{8}T/;
  expect((await desk.slipway(['backup', 'list'])).out).toMatch(listed);
  // A path is meant from where the working tree is.
  desk.git(desk.config, 'remote', 'set-url', 'origin', relative(desk.config, desk.remote));
  expect((await desk.slipway(['backup', 'list'])).out).toMatch(listed);
  expect((await desk.slipway(['status', ...at])).out).toMatch(/^Backup +\d{8}T/m);
  const { audit } = JSON.parse(desk.git(desk.remote, 'show', 'slipway/backup:backup.json')) as { audit: object };
  expect(audit).toEqual({ events: expect.any(Number), head: expect.stringMatching(/^[0-9a-f]{64}$/) });
});
