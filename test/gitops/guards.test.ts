/** What a commit cannot do by accident: lose what it does not mention, delete much at once, take away what is protected. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { directorySource } from '../../reconciler/source/directory.ts';
import { gitSource } from '../../reconciler/source/git.ts';
import { memoryParseCache } from '../../reconciler/parse-cache.ts';
import { asIfRunning, preview } from '../../reconciler/preview.ts';
import { compile, NOTHING } from '../../reconciler/compile.ts';
import { plan } from '../../reconciler/plan.ts';
import { exitCodeOf, planSchema, type Plan } from '../../schemas/plan.ts';
import { desired, memoryServer, resource } from '../helpers/config.ts';
import { writeFiles } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;
const servers = (count: number, from = 0): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`s${at + from}.yaml`, memoryServer(`s${at + from}`)]));

function planOf(before: Record<string, string>, after: Record<string, string>, allow: readonly string[] = []): Plan {
  const permit = allow.length === 0 ? undefined : { guards: allow, by: 'a test' };
  const result = plan(compile(desired(after, 'c2')), asIfRunning(desired(before)), permit);
  expect(planSchema.safeParse(result).error).toBeUndefined();
  return result;
}
const codes = ({ guards }: Plan): string[] => guards.map(({ code }) => code);

/** So many of so many go. */
const deleting = (count: number, of: number, policy?: object): string[] => {
  const more = policy === undefined ? {} : { 'p.yaml': resource('Policy', 'p', { guards: policy }) };
  return codes(planOf({ ...servers(of), ...more }, { ...servers(of - count, count), ...more }));
};

test.each([
  [5, 6, []],
  [6, 20, []], // 30 % exactly.
  [6, 19, ['mass-delete']],
  [7, 20, ['mass-delete']],
  [30, 100, []],
  [31, 100, ['mass-delete']],
])('%d of %d resources deleted at once: %j', (count, of, expected) => {
  expect(deleting(count, of)).toEqual(expected);
});

test('a Policy raises and lowers what may go at once; of several the lower numbers count', () => {
  expect(deleting(6, 7, { massDelete: { count: 6 } })).toEqual([]);
  expect(deleting(2, 9, { massDelete: { count: 0, percent: 0 } })).toEqual(['mass-delete']);
  expect(deleting(2, 99, { massDelete: { count: 1, percent: 0 } })).toEqual(['mass-delete']);
  const policies = {
    'p.yaml': resource('Policy', 'p', { guards: { massDelete: { count: 50, percent: 100 } } }),
    'q.yaml': resource('Policy', 'q', { guards: { massDelete: { count: 1, percent: 10 } } }),
    'r.yaml': resource('Policy', 'r', {}),
  };
  expect(codes(planOf({ ...servers(4), ...policies }, { ...servers(2), ...policies }))).toEqual(['mass-delete']);
});

test('a commit that raises the limit is still judged by the one before', () => {
  const policy = (count: number) => ({ 'p.yaml': resource('Policy', 'p', { guards: { massDelete: { count } } }) });
  const before = { ...servers(9), ...policy(2) };
  expect(codes(planOf(before, { ...servers(1), ...policy(50) }))).toEqual(['mass-delete']);
  expect(codes(planOf(before, servers(1)))).toEqual(['mass-delete']);
});

test('who empties everything is told of that alone', () => {
  expect(codes(planOf(servers(20), {}))).toEqual(['empty-load']);
});

test('the guard names what would go, and both ways out', () => {
  const [guard] = planOf(servers(9), servers(1, 8)).guards;
  expect(guard?.message).toBe(
    'The commit deletes 8 of 9 resources, more than 5 and more than 30 %: Server/s0, Server/s1, Server/s2, Server/s3, Server/s4 and 3 more.',
  );
  expect(guard?.allow).toContain('guards.massDelete in a Policy');
  expect(guard?.allow).toContain('Slipway-Allow: mass-delete');
});

const keeper = (protect?: string, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'slipway/v1',
    kind: 'Server',
    metadata: { name: 'db', ...(protect ? { protect } : {}) },
    spec: { command: ['memory', 'v1'], runtime: 'memory', ...spec },
  });

test.each([
  ['delete', 'deleting it', {}, ['protected']],
  ['delete', 'replacing it', { 'db.yaml': keeper('delete', { command: ['memory', 'v2'] }) }, []],
  ['replace', 'deleting it', {}, ['protected']],
  ['replace', 'replacing it', { 'db.yaml': keeper('replace', { command: ['memory', 'v2'] }) }, ['protected']],
  [
    'replace',
    'replacing it and taking the word away',
    { 'db.yaml': keeper(undefined, { command: ['memory', 'v2'] }) },
    ['protected'],
  ],
  ['replace', 'moving it elsewhere', { 'db.yaml': remote('db') }, ['protected']],
  ['replace', 'only taking the word away', { 'db.yaml': keeper() }, []],
  ['replace', 'what needs no restart', { 'db.yaml': keeper('replace', { description: 'The database.' }) }, []],
  ['replace', 'one instance more', { 'db.yaml': keeper('replace', { replicas: 2 }) }, []],
])('protect: %s, and %s', (protect, _, after, expected) => {
  const others = servers(3);
  const found = planOf({ 'db.yaml': keeper(protect), ...others }, { ...after, ...others });
  expect(codes(found)).toEqual(expected);
  if (expected.length > 0)
    expect(found.guards[0]).toMatchObject({
      address: 'Server/db',
      message: expect.stringContaining('db.yaml:1') as string,
      allow: expect.stringContaining('Slipway-Allow: protected') as string,
    });
});

function remote(name: string): string {
  return resource('Server', name, { url: 'https://mcp.example.com/mcp', transport: 'http' });
}

test('an instance that was changed by hand is healed, protected or not', () => {
  const wanted = desired({ 'db.yaml': keeper('replace') });
  const actual = asIfRunning(wanted);
  const altered = {
    ...actual,
    instances: actual.instances.map((one) => ({ ...one, drift: ['its image is another'] })),
  };
  const found = plan(compile(wanted), altered);
  expect(found.changes[0]?.action).toBe('replace');
  expect(codes(found)).toEqual([]);
});

test('a message lets its own commit pass the guards that it names, and no others', () => {
  const before = { ...servers(9), 'db.yaml': keeper('delete') };
  const both = planOf(before, servers(1), ['mass-delete']);
  expect(codes(both)).toEqual(['protected']);
  expect(both.allowed).toMatchObject([{ code: 'mass-delete', by: 'a test' }]);
  const all = planOf(before, servers(1), ['mass-delete', 'protected']);
  expect(exitCodeOf(all)).toBe(2);
  expect(all.allowed).toHaveLength(2);
  expect(codes(planOf({ 'a.yaml': memoryServer('a') }, {}, ['empty-load']))).toEqual([]);
  // What only a Policy can allow.
  const mighty = { 'a.yaml': memoryServer('a', 'v1', { isolation: { privileged: true } }) };
  expect(codes(planOf({}, mighty, ['unsafe-feature', 'unsafe-listen']))).toEqual(['unsafe-feature']);
});

test('a Policy makes guards final, and the commit that drops it is still bound by it', () => {
  const policy = { 'p.yaml': resource('Policy', 'p', { guards: { final: ['mass-delete'] } }) };
  for (const after of [policy, {}]) {
    const found = planOf({ ...servers(9), ...policy }, { ...servers(1), ...after }, ['mass-delete']);
    expect(codes(found)).toEqual(['mass-delete']);
    expect(found.guards[0]?.allow).toContain('A Policy says that no commit’s message allows it.');
  }
});

const EMPTIED: Record<string, (root: string) => void> = {
  'a file was emptied': (root) => writeFileSync(`${root}/team/a.yaml`, ''),
  'a file holds comments only': (root) => writeFileSync(`${root}/team/a.yaml`, '# later\n---\n# more\n'),
  'a folder became a link': (root) => {
    rmSync(`${root}/team`, { recursive: true });
    symlinkSync('/etc', `${root}/team`);
  },
  'a folder is empty': (root) => {
    rmSync(`${root}/team`, { recursive: true });
    mkdirSync(`${root}/team`);
  },
};
const CONFIG = { 'team/a.yaml': memoryServer('a'), 'b.yaml': memoryServer('b') };

test.each(Object.keys(EMPTIED))('in a folder, %s: that is no deletion', async (what) => {
  using dir = tempDir();
  writeFiles(dir.path, CONFIG);
  await using source = directorySource(dir.path);
  const first = await preview(source, { applied: NOTHING, instances: [], failures: {} }, memoryParseCache(), never());
  EMPTIED[what]?.(dir.path);
  const cache = memoryParseCache();
  // Also where it is known from before.
  for (let round = 0; round < 2; round++) {
    const { plan: found, issues } = await preview(source, asIfRunning(first.desired), cache, never());
    expect(issues).toEqual([]);
    expect(found?.guards).toMatchObject([{ code: 'partial-load' }]);
    expect(found?.guards[0]?.message).toMatch(/^team\S* is still there but .* would delete Server\/a\.$/);
  }
  rmSync(`${dir.path}/team`, { recursive: true });
  const { plan: gone } = await preview(source, asIfRunning(first.desired), memoryParseCache(), never());
  expect(gone?.guards).toEqual([]);
  expect(gone?.summary.delete).toBe(1);
});

test('in git, a folder that became a submodule, or a link, is no deletion', async () => {
  await using rig = await Rig.make();
  await rig.apply(CONFIG);
  const { repo } = rig;
  const refused = async (): Promise<void> => {
    await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'blocked' });
    expect(await rig.overall('Stalled')).toBe('True=Blocked');
    expect(await rig.call('a', 'echo', { message: 'hi' })).toContain('hi');
  };
  const head = repo.git('rev-parse', 'HEAD');
  repo.git('rm', '--quiet', '-r', '--cached', 'team');
  repo.git('update-index', '--add', '--cacheinfo', `160000,${head},team`);
  repo.git('commit', '--quiet', '--message', 'a submodule');
  repo.git('push', '--quiet', 'origin', 'HEAD');
  await refused();
  repo.git('reset', '--quiet', '--hard', head);
  repo.push({ team: { link: 'elsewhere' } });
  await refused();
});

test('from a push to the audit: what is blocked, what its message lets pass, and what comes after', async () => {
  await using rig = await Rig.make({ record: true });
  const { repo } = rig;
  await rig.apply(servers(8));
  const nothing = Object.fromEntries(Object.keys(servers(7)).map((name) => [name, null]));
  await expect(rig.apply(nothing)).rejects.toMatchObject({ code: 'blocked', row: { exit: 3 } });
  expect(await rig.overall('Stalled')).toBe('True=Blocked');
  expect(await rig.condition('s0')).toBe('True=Succeeded');
  // A word in the text is no trailer, and an earlier commit's trailer is not this one's.
  repo.push({}, 'Slipway-Allow: mass-delete is what I will not say');
  await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'blocked' });
  repo.commit({}, 'Remove them\n\nSlipway-Allow: mass-delete');
  repo.push({}, 'And something else');
  await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'blocked' });
  const id = repo.push({}, 'Remove them\n\nWe have moved.\n\nSlipway-Allow: protected, mass-delete\n');
  const source = gitSource({ url: repo.url, mirror: rig.state.paths.mirror });
  const shown = await preview(source, { ...asIfRunning(desired(servers(8))) }, memoryParseCache(), never());
  expect(shown.plan?.allowed).toMatchObject([
    {
      code: 'mass-delete',
      by: `Slipway-Allow in commit ${id.slice(0, 8)}`,
      message: expect.stringContaining('7 of 8') as string,
    },
  ]);
  await rig.reconciler.sync();
  expect(await rig.overall()).toBe('True=Succeeded');
  expect(await rig.memory.list(never())).toHaveLength(1);
  await rig.reconciler.world.recorder.flush();
  const log = execFileSync('git', ['log', '-p', '--format=%s', 'slipway/audit'], {
    cwd: repo.remote,
    encoding: 'utf8',
  });
  expect(log).toContain(`applied ${id.slice(0, 8)}: 7 to delete`);
  expect(log).toMatch(/"by": "Slipway-Allow in commit/);
});
