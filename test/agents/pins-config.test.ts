/** What the config says of pinned tools, and what becomes of it: in the snapshot, over rollouts, in a floor; and what exactly runs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compile } from '../../reconciler/compile.ts';
import type { Driver } from '../../reconciler/drivers/driver.ts';
import { npmArtifact } from '../../reconciler/drivers/process/npm-artifact.ts';
import { asIfRunning, NOTHING, plan } from '../../reconciler/index.ts';
import { load } from '../../reconciler/load.ts';
import { memoryParseCache } from '../../reconciler/parse-cache.ts';
import { offers } from '../../reconciler/pins/offers.ts';
import { composeSnapshot, type Served } from '../../reconciler/publish.ts';
import { directorySource } from '../../reconciler/source/directory.ts';
import type { Program } from '../../reconciler/workload.ts';
import { grantOf, LOCAL, NO_ACCESS } from '../../schemas/access.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import { pinOf } from '../../schemas/lock/pin.ts';
import type { Lock } from '../../schemas/lock/lock.ts';
import { lockOf as lockOfTools } from './helpers/pins.ts';
import { memoryServer, resource, desired } from '../helpers/config.ts';
import { writeFiles } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';

const tool = { name: 'get', description: 'Gets.', inputSchema: { type: 'object' } };
const lockOf = (...names: string[]): Lock => lockOfTools(Object.fromEntries(names.map((name) => [name, [tool]])));

const modesOf = (files: Record<string, string>, lock: Lock | undefined, floor?: Record<string, string>) => {
  const floorResources = floor ? { id: 'f', resources: desired(floor).resources } : undefined;
  const { draft } = compile({ ...desired(files), ...(lock ? { lock } : {}), floor: floorResources });
  return Object.fromEntries(Object.entries(draft.servers).map(([name, { pinned }]) => [name, pinned?.drift ?? 'off']));
};

test('who is in the lock file is warned of, who is not is left alone, and who says otherwise is heard', () => {
  const servers = {
    'a.yaml': memoryServer('a'),
    'b.yaml': memoryServer('b'),
    'c.yaml': memoryServer('c', 'v1', { toolDrift: 'block' }),
    'd.yaml': memoryServer('d', 'v1', { toolDrift: 'off' }),
  };
  expect(modesOf(servers, undefined)).toEqual({ a: 'off', b: 'off', c: 'block', d: 'off' });
  const lock = lockOf('a', 'd', 'gone');
  expect(modesOf(servers, lock)).toEqual({ a: 'warn', b: 'off', c: 'block', d: 'off' });
  const all = { ...servers, 'gw.yaml': resource('Gateway', 'main', { toolDrift: 'block' }) };
  expect(modesOf(all, lock)).toEqual({ a: 'block', b: 'block', c: 'block', d: 'off' });
  const least = { ...servers, 'p.yaml': resource('Policy', 'tools', { toolDrift: 'warn' }) };
  expect(modesOf(least, lock)).toEqual({ a: 'warn', b: 'warn', c: 'block', d: 'warn' });
  const floor = { 'floor.yaml': resource('Policy', 'least', { toolDrift: 'block' }) };
  expect(modesOf(least, lock, floor)).toEqual({ a: 'block', b: 'block', c: 'block', d: 'block' });
});

test('the snapshot has hashes and nothing else; and while the version before serves, what was accepted of that holds', () => {
  const old = compile({ ...desired({ 'a.yaml': memoryServer('a', 'v1') }), lock: lockOf('a') });
  const now = compile({
    ...desired({ 'a.yaml': memoryServer('a', 'v2') }),
    lock: { formatVersion: 1, servers: { a: { tools: [] } } },
  });
  const [was] = old.workloads;
  const served = (hash: string): Served => ({ endpoints: [], readiness: { hash, tools: [tool] } });
  const pinnedFor = (hash: string) =>
    composeSnapshot(now, {
      served: new Map([['Server/a', served(hash)]]),
      known: {},
      failures: {},
      isUnready: () => false,
      before: old.draft.servers,
    }).servers['a']?.pinned;
  expect(pinnedFor(was?.hash ?? '')).toEqual({ drift: 'warn', tools: [pinOf(tool)] });
  expect(pinnedFor(now.workloads[0]?.hash ?? '')).toEqual({ drift: 'warn', tools: [] });
});

test('and what becomes of other tools is in force at once, as strict as either of the two', () => {
  const mode = (was: string, is: string): string | undefined => {
    const [old, now] = [was, is].map((toolDrift, at) =>
      compile({ ...desired({ 'a.yaml': memoryServer('a', `v${at}`, { toolDrift }) }), lock: lockOf('a') }),
    );
    const readiness = { hash: old?.workloads[0]?.hash ?? '', tools: [tool] };
    return composeSnapshot(now as NonNullable<typeof now>, {
      served: new Map([['Server/a', { endpoints: [], readiness }]]),
      known: {},
      failures: {},
      isUnready: () => false,
      before: old?.draft.servers ?? {},
    }).servers['a']?.pinned?.drift;
  };
  const cases = [
    ['warn', 'block'],
    ['off', 'block'],
    ['block', 'warn'],
    ['block', 'off'],
    ['warn', 'off'],
    ['off', 'off'],
  ];
  expect(cases.map(([was = '', is = '']) => mode(was, is))).toEqual([
    'block',
    'block',
    'block',
    'block',
    'warn',
    undefined,
  ]);
});

test('a commit of the lock file alone is a change; the same one again is none', () => {
  const files = { 'a.yaml': memoryServer('a') };
  const before = desired(files);
  const after = { ...before, commit: 'c2', lock: lockOf('a') };
  const shown = plan(compile(after), asIfRunning(before));
  expect([exitCodeOf(shown), shown.tools?.changes.map(({ change }) => change)]).toEqual([2, ['added']]);
  const again = plan(compile(after), asIfRunning({ ...after, lock: structuredClone(after.lock) }));
  expect([exitCodeOf(again), again.tools]).toEqual([0, undefined]);
  expect(shown.planDigest).not.toBe(again.planDigest);
  expect(plan(compile(before), asIfRunning(NOTHING)).tools).toBeUndefined();
});

test('the file is a part of the commit: parsed once, refused as a whole where it is wrong, no config where it is not on top', async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    'a.yaml': memoryServer('a'),
    'slipway.lock.yaml': 'formatVersion: 1\nservers: { gone: { tools: [] } }\n',
    'deep/slipway.lock.yaml': 'not: [a lock\n',
  });
  const [source, cache, signal] = [directorySource(dir.path), memoryParseCache(), new AbortController().signal];
  const revision = async (): Promise<string> => (await source.fetch(signal)).id;
  const first = await load(source, await revision(), cache, signal);
  expect([first.issues, first.lock]).toEqual([
    [],
    { formatVersion: 1, servers: { gone: { tools: [] } }, lines: { gone: { line: 2, tools: {} } } },
  ]);
  expect((await load(source, await revision(), cache, signal)).lock).toBe(first.lock);
  writeFiles(dir.path, { 'slipway.lock.yaml': 'formatVersion: 1\nservres: {}\n' });
  const { issues, lock } = await load(source, await revision(), cache, signal);
  expect(lock).toBeUndefined();
  expect(issues).toMatchObject([
    { file: 'slipway.lock.yaml', line: 2, column: 1, code: 'unknown-field', hint: 'Did you mean servers?' },
  ]);
});

test('an engine that is down says nothing of what it runs, which is not that there is nothing', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': memoryServer('a') });
  const asked = async (artifact: Driver['artifact']) => {
    Object.assign(rig.memory, { artifact });
    return offers(rig.reconciler.world, undefined, grantOf(NO_ACCESS, LOCAL), AbortSignal.timeout(60_000));
  };
  const tools = expect.any(Array) as unknown;
  expect(await asked(() => Promise.reject(new Error('down')))).toEqual([{ server: 'a', tools, artifact: 'unknown' }]);
  expect(await asked(() => Promise.resolve(undefined))).toEqual([{ server: 'a', tools }]);
  const image = { image: 'x:1', digest: 'sha256:1' };
  expect(await asked(() => Promise.resolve(image))).toEqual([{ server: 'a', tools, artifact: image }]);
});

test('of an npm package, the hash that its registry gave; of what is not installed, its name', async () => {
  using dir = tempDir();
  const program = { type: 'package', ecosystem: 'npm', name: '@x/mail', version: '1.2.3', args: [] } as const;
  expect(await npmArtifact(program, dir.path)).toEqual({ package: 'npm:@x/mail@1.2.3' });
  const home = join(dir.path, 'npm', '@x+mail@1.2.3');
  mkdirSync(home, { recursive: true });
  const packages = { '': {}, 'node_modules/@x/mail': { version: '1.2.3', integrity: 'sha512-abc==' } };
  writeFileSync(join(home, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
  expect(await npmArtifact(program, dir.path)).toEqual({ package: 'npm:@x/mail@1.2.3', integrity: 'sha512-abc==' });
  const python: Program = { ...program, ecosystem: 'pypi', name: 'mail' };
  expect(await npmArtifact(python, dir.path)).toEqual({ package: 'pypi:mail@1.2.3' });
  expect(await npmArtifact({ type: 'command', argv: ['node'] }, dir.path)).toBeUndefined();
});
