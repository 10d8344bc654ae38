/** What waits although a commit asks for it: suspended servers, and times at which nothing is changed. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isOpen, opening } from '../../reconciler/holds.ts';
import { cli } from '../helpers/cli.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { TestRepo, writeFiles } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';
import { goodVersion, instancesOf } from '../reconciler/rollout/helpers.ts';

const at = (text: string): Date => new Date(text);
const NIGHT = { schedule: '0 22 * * *', duration: '4h' };

test.each([
  ['2026-03-02T21:59:59Z', false, '2026-03-02T22:00:00.000Z'],
  ['2026-03-02T22:00:00Z', true, '2026-03-02T22:00:00.000Z'],
  ['2026-03-03T01:59:59Z', true, '2026-03-03T01:59:59.000Z'],
  ['2026-03-03T02:00:00Z', false, '2026-03-03T22:00:00.000Z'],
])('a window of four hours each night: at %s', (now, open, next) => {
  const windows = { allow: [NIGHT], deny: [] };
  expect(isOpen(windows, at(now))).toBe(open);
  expect(opening([windows], at(now))?.toISOString()).toBe(next);
});

test('windows are about the clock of their time zone, through the change to summer time', () => {
  const windows = { allow: [NIGHT], deny: [], timeZone: 'Europe/Vienna' };
  expect(opening([windows], at('2026-03-28T12:00:00Z'))?.toISOString()).toBe('2026-03-28T21:00:00.000Z');
  expect(opening([windows], at('2026-03-29T12:00:00Z'))?.toISOString()).toBe('2026-03-29T20:00:00.000Z');
});

test('what is denied is denied within what is allowed, and what all allow is the time', () => {
  const freeze = { schedule: '0 0 24 12 *', duration: '9d' };
  const windows = { allow: [NIGHT], deny: [freeze] };
  expect(isOpen(windows, at('2026-12-25T23:00:00Z'))).toBe(false);
  expect(opening([windows], at('2026-12-24T10:00:00Z'))?.toISOString()).toBe('2027-01-02T00:00:00.000Z');
  const sundays = { allow: [{ schedule: '0 0 * * 0', duration: '1d' }], deny: [] };
  expect(opening([windows, sundays], at('2026-03-02T12:00:00Z'))?.toISOString()).toBe('2026-03-08T00:00:00.000Z');
  expect(
    opening([{ allow: [{ schedule: '0 0 30 2 *', duration: '1h' }], deny: [] }], at('2026-03-02T12:00:00Z')),
  ).toBeUndefined();
});

/** A window that is open in `hours` from now, for two. */
const inHours = (hours: number): { allow: { schedule: string; duration: string }[] } => ({
  allow: [{ schedule: `0 ${(new Date().getUTCHours() + hours) % 24} * * *`, duration: '2h' }],
});
const CLOSED = inHours(12);
const tiny = (version: string, more = {}): string => memoryServer('tiny', version, more);

test('a suspended server is left alone, and says since which commit; resumed, it follows again', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': tiny('v1') });
  const before = await instancesOf(rig);
  const commit = await rig.apply({ 'a.yaml': tiny('v2', { suspend: true }) });
  await rig.apply({ 'a.yaml': tiny('v3', { suspend: true }), 'b.yaml': memoryServer('other') });
  expect(await instancesOf(rig)).toEqual(before);
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
  const told = (await rig.reconciler.status()).servers.find(({ name }) => name === 'tiny')?.conditions;
  expect(told).toContainEqual(
    expect.objectContaining({
      type: 'Suspended',
      message: expect.stringContaining(`since commit ${commit.slice(0, 12)}`),
    }),
  );
  expect(await rig.condition('other')).toBe('True=Succeeded');
  // What is done by hand is left alone, too, and told as nothing.
  rig.memory.alter(before[0] ?? '', 'its limits');
  await rig.reconciler.sync();
  expect(await instancesOf(rig)).toEqual(before);
  expect(await rig.condition('tiny', 'Drifted')).toBeUndefined();
  await rig.apply({ 'a.yaml': tiny('v3') });
  expect(goodVersion(rig)).toBe('v3');
  expect(await rig.condition('tiny', 'Suspended')).toBeUndefined();
});

test('everything is suspended by the Gateway, removals too; rights are in force all the same', async () => {
  await using rig = await Rig.make();
  const hold = { 'g.yaml': resource('Gateway', 'main', { suspend: true }) };
  await rig.apply({ 'a.yaml': tiny('v1'), 'b.yaml': memoryServer('old') });
  await rig.apply({
    ...hold,
    'a.yaml': tiny('v2', { permissions: { default: 'deny' } }),
    'b.yaml': null,
    'c.yaml': memoryServer('new'),
  });
  expect(goodVersion(rig)).toBe('v1');
  expect(await instancesOf(rig, 'old')).toHaveLength(1);
  expect(await instancesOf(rig, 'new')).toEqual([]);
  expect(await rig.condition('new')).toBe('False=Suspended');
  expect(await rig.overall('Suspended')).toBe('True=Suspended');
  expect(rig.snapshot.access.servers?.['tiny']?.default).toBe('deny');
  expect(Object.keys(rig.snapshot.servers).sort()).toEqual(['new', 'tiny']);
  await rig.apply({ 'g.yaml': resource('Gateway', 'main', {}) });
  expect(goodVersion(rig)).toBe('v2');
  expect(await instancesOf(rig, 'old')).toEqual([]);
  expect(await rig.condition('new')).toBe('True=Succeeded');
});

test('outside of a window changes wait, with the time of the next one, and healing does not', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': tiny('v1') });
  await rig.apply({ 'a.yaml': tiny('v2', { maintenance: CLOSED }) });
  expect(goodVersion(rig)).toBe('v1');
  expect(await rig.condition('tiny')).toBe('True=Succeeded');
  const waits = (await rig.reconciler.status()).servers[0]?.conditions.find(({ type }) => type === 'Reconciling');
  expect(waits).toMatchObject({
    reason: 'OutsideWindow',
    message: expect.stringMatching(/a\.yaml:1\); the next window opens at \d{4}-/),
  });
  // A server that is not there at all is brought back as it was.
  await rig.apply({ 'a.yaml': tiny('v1', { maintenance: CLOSED }) });
  rig.memory.kill((await instancesOf(rig))[0] ?? '');
  await rig.reconciler.sync();
  expect(await instancesOf(rig)).toHaveLength(1);
  await rig.apply({ 'a.yaml': tiny('v2', { maintenance: inHours(0) }) });
  expect(goodVersion(rig)).toBe('v2');
});

test('more instances wait for the window, too, however often it is looked', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': tiny('v1') });
  await rig.apply({ 'a.yaml': tiny('v1', { maintenance: CLOSED, replicas: 3 }) });
  await rig.reconciler.sync();
  await rig.apply({ 'b.yaml': memoryServer('other') });
  expect(await instancesOf(rig)).toHaveLength(1);
  expect(await rig.condition('tiny', 'Reconciling')).toBe('True=OutsideWindow');
});

test('a suspended server whose rights changed is not behind, and stays suspended over a restart while git is away', async () => {
  using dir = tempDir();
  using repo = new TestRepo();
  const stateDir = dir.at('state');
  {
    await using rig = await Rig.make({ repo, stateDir });
    await rig.apply({ 'a.yaml': tiny('v1') });
    await rig.apply({ 'a.yaml': tiny('v2', { suspend: true }) });
    await rig.apply({ 'b.yaml': memoryServer('new', 'v1', { suspend: true }) });
    const { servers } = rig.snapshot;
    expect(servers['new']?.unavailable?.message).toBe('The server is suspended.');
    await rig.apply({ 'a.yaml': tiny('v1', { suspend: true, permissions: { readOnly: true } }) });
    const { plan } = await import('../../reconciler/plan.ts');
    const { observe } = await import('../../reconciler/world.ts');
    const { world } = rig.reconciler;
    const found = plan(world.compiled, await observe(world, new AbortController().signal), undefined, new Date());
    const change = found.changes.find(({ address }) => address === 'Server/tiny');
    expect(change?.action).toBe('noop');
  }
  rmSync(repo.remote, { recursive: true });
  await using rig = await Rig.make({ repo, stateDir });
  await rig.reconciler.start();
  expect(rig.reconciler.world.compiled.holds.map(({ about, suspend }) => [about, suspend])).toContainEqual([
    'Server/tiny',
    true,
  ]);
});

test('when a window opens, what waits is done by itself', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': tiny('v1') });
  const now = new Date();
  const elapsed = now.getTime() - new Date(now).setUTCSeconds(0, 0);
  const deny = [{ schedule: `${now.getUTCMinutes()} ${now.getUTCHours()} * * *`, duration: `${elapsed + 8000}ms` }];
  await rig.apply({ 'a.yaml': tiny('v2', { maintenance: { deny } }) });
  expect(goodVersion(rig)).toBe('v1');
  await rig.reconciler.start();
  await rig.untilStatus(() => goodVersion(rig) === 'v2');
});

test('the plan says what waits, and waiting is no loop', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': tiny('v1') });
  rig.repo.push({ 'a.yaml': tiny('v2', { maintenance: CLOSED }) });
  const { preview } = await import('../../reconciler/preview.ts');
  const { observe } = await import('../../reconciler/world.ts');
  const { world } = rig.reconciler;
  const signal = new AbortController().signal;
  const { plan } = await preview(world.source, await observe(world, signal), world.cache, signal);
  expect(plan?.changes).toMatchObject([
    { action: 'replace', blockedBy: [expect.stringContaining('maintenance window')] },
  ]);
  for (let pass = 0; pass < 5; pass++) await rig.reconciler.sync();
  expect(await rig.overall()).toBe('True=Succeeded');
});

test('a version on trial that goes bad goes back outside of a window', async () => {
  await using rig = await Rig.make();
  const watched = (version: string): string => tiny(version, { rollout: { monitor: '1h' } });
  await rig.apply({ 'a.yaml': watched('v1') });
  await rig.apply({ 'a.yaml': watched('v2') });
  await rig.apply({ 'g.yaml': resource('Gateway', 'main', { maintenance: CLOSED }) });
  await rig.reconciler.start();
  const { failCalls } = await import('../reconciler/rollout/helpers.ts');
  await failCalls(rig);
  await rig.told('tiny', 'Ready:False=RolledBack');
  expect(goodVersion(rig)).toBe('v1');
});

test('commands suspend and resume in the config, and say what cannot be', async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    'a.yaml': 'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: tiny }\nspec:\n  command: [tiny] # small\n',
  });
  const run = (...args: string[]) => cli(args, { cwd: dir.path });
  const read = (): string => readFileSync(join(dir.path, 'a.yaml'), 'utf8');
  const before = read();
  expect((await run('suspend', 'server', 'tiny')).out).toContain('server/tiny suspended');
  expect(read()).toContain('suspend: true');
  expect(read()).toContain('# small');
  expect((await run('resume', 'server/tiny')).out).toContain('server/tiny resumed');
  expect(read().replace(/\n {2}suspend: false/, '')).toBe(before);
  expect((await run('resume', 'server', 'tiny')).out).toContain('unchanged');
  const refused = await run('suspend', 'role', 'x');
  expect(refused.code).toBe(64);
  expect(refused.err).toContain('servers');
});
