/** Projects that choose servers by their labels: what is in them, what a plan shows of it, and who may use it. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compile, NOTHING } from '../../reconciler/compile.ts';
import { plan } from '../../reconciler/plan.ts';
import { asIfRunning } from '../../reconciler/preview.ts';
import { directorySource, memoryParseCache, preview } from '../../reconciler/index.ts';
import { desired, resource } from '../helpers/config.ts';
import { tempDir } from '../helpers/temp.ts';

const server = (name: string, labels: Record<string, string> = {}): string =>
  JSON.stringify({ apiVersion: 'slipway/v1', kind: 'Server', metadata: { name, labels }, spec: { command: ['x'] } });

const EMPTY = { applied: NOTHING, instances: [], failures: {} };

const FLEET = {
  'alpha.yaml': server('alpha', { team: 'core', tier: 'web' }),
  'beta.yaml': server('beta', { team: 'core', tier: 'db', old: 'yes' }),
  'delta.yaml': server('delta', { team: 'data' }),
  'zeta.yaml': server('zeta'),
};

const members = (spec: object, fleet: Record<string, string> = FLEET): readonly string[] | undefined =>
  compile(desired({ ...fleet, 'p.yaml': resource('Project', 'p', spec as Record<string, unknown>) })).draft.routes[
    '/projects/p/mcp'
  ]?.servers;

const rule = (key: string, operator: string, ...values: string[]): object => ({
  key,
  operator,
  ...(values.length === 0 ? {} : { values }),
});

test.for<[string, object, string[]]>([
  ['nothing', {}, []],
  ['names, in their order', { servers: ['zeta', 'alpha'] }, ['zeta', 'alpha']],
  ['an empty selector: all', { serverSelector: {} }, ['alpha', 'beta', 'delta', 'zeta']],
  [
    'names first, and nobody twice',
    { servers: ['zeta', 'beta'], serverSelector: { matchLabels: { team: 'core' } } },
    ['zeta', 'beta', 'alpha'],
  ],
  ['all labels', { serverSelector: { matchLabels: { team: 'core', tier: 'db' } } }, ['beta']],
  ['a label that none has', { serverSelector: { matchLabels: { team: 'nobody' } } }, []],
  ['In', { serverSelector: { matchExpressions: [rule('team', 'In', 'data', 'core')] } }, ['alpha', 'beta', 'delta']],
  [
    'NotIn, which takes what has no such label',
    { serverSelector: { matchExpressions: [rule('team', 'NotIn', 'core')] } },
    ['delta', 'zeta'],
  ],
  ['Exists', { serverSelector: { matchExpressions: [rule('tier', 'Exists')] } }, ['alpha', 'beta']],
  ['DoesNotExist', { serverSelector: { matchExpressions: [rule('team', 'DoesNotExist')] } }, ['zeta']],
  ['no inherited name', { serverSelector: { matchExpressions: [rule('constructor', 'Exists')] } }, []],
  [
    'all of them',
    { serverSelector: { matchLabels: { team: 'core' }, matchExpressions: [rule('old', 'DoesNotExist')] } },
    ['alpha'],
  ],
])('%s', ([, spec, expected]) => {
  expect(members(spec)).toEqual(expected);
  const { draft } = compile(desired({ ...FLEET, 'p.yaml': resource('Project', 'p', spec as Record<string, unknown>) }));
  expect(draft.access.members['p']).toEqual(expected);
});

const PROJECT = resource('Project', 'p', { serverSelector: { matchLabels: { team: 'core' } } });

test('a plan shows who joins and who leaves, although the project itself stays as it was written', () => {
  const before = desired({ ...FLEET, 'p.yaml': PROJECT });
  const after = desired({
    ...FLEET,
    'p.yaml': PROJECT,
    'alpha.yaml': server('alpha', { tier: 'web' }),
    'zeta.yaml': server('zeta', { team: 'core' }),
  });
  const change = (wanted: typeof before) =>
    plan(compile(wanted), asIfRunning(before)).changes.find(({ address }) => address === 'Project/p');
  expect(change(before)).toMatchObject({ action: 'noop', fields: [] });
  expect(change(after)).toMatchObject({
    action: 'update',
    reason: 'what it reaches without naming it changed',
    downtime: 'reload',
    fields: [
      { path: 'selected.Server/alpha', before: true, sensitive: false },
      { path: 'selected.Server/zeta', after: true, sensitive: false },
    ],
  });
  const first = plan(compile(after), EMPTY);
  expect(first.changes.find(({ address }) => address === 'Project/p')).toMatchObject({ action: 'create' });
});

test('overrides may be about servers that are selected, and about no others', () => {
  const spec = { serverSelector: { matchLabels: { team: 'core' } }, overrides: { beta: { prefix: 'b_' } } };
  expect(members(spec)).toEqual(['alpha', 'beta']);
  expect(() => members({ ...spec, overrides: { delta: { prefix: 'd_' } } })).toThrow(
    'The project has no server delta.',
  );
});

test('labels count as Overlays leave them', async () => {
  const overlay = resource('Overlay', 'prod', {
    environments: ['prod'],
    patches: [
      {
        target: { kind: 'Server', name: 'zeta' },
        patch: [{ op: 'add', path: '/metadata/labels/team', value: 'core' }],
      },
    ],
  });
  using folder = tempDir();
  const files = { ...FLEET, 'p.yaml': PROJECT, 'o.yaml': overlay };
  for (const [name, content] of Object.entries(files)) writeFileSync(folder.at(name), content);
  const selected = async (environment?: string): Promise<unknown> => {
    const source = { ...directorySource(folder.path), ...(environment === undefined ? {} : { environment }) };
    const { issues, desired: found } = await preview(source, EMPTY, memoryParseCache(), new AbortController().signal);
    expect(issues).toEqual([]);
    return compile(found).draft.access.members['p'];
  };
  expect(await selected()).toEqual(['alpha', 'beta']);
  expect(await selected('prod')).toEqual(['alpha', 'beta', 'zeta']);
});

test('a rule that says too little or too much is told', () => {
  const problem = (expression: object): string => {
    try {
      members({ serverSelector: { matchExpressions: [expression] } });
      return 'none';
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(problem(rule('team', 'In'))).toContain('values');
  expect(problem({ key: 'team', operator: 'In', values: [] })).toContain('values');
  expect(problem(rule('team', 'Exists', 'x'))).toContain('values');
  expect(problem(rule('team', 'Like', 'x'))).toContain('operator');
  expect(problem({ operator: 'Exists' })).toContain('key');
});

test('a session is told what the project says for it, else what the project is for', () => {
  const told = (spec: object): unknown =>
    compile(desired({ 'p.yaml': resource('Project', 'p', { ...spec }) })).draft.routes['/projects/p/mcp']?.instructions;
  expect(told({})).toBeUndefined();
  expect(told({ description: 'Tickets.' })).toBe('Tickets.');
  expect(told({ description: 'Tickets.', instructions: 'Ask before you write.' })).toBe('Ask before you write.');
  expect(told({ description: 'Tickets.', instructions: '' })).toBe('');
});
