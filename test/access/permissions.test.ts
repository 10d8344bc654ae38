/** Which rule decides: the order of levels, the last match, the floor, readOnly; and what a caller's roles add up to. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deciderFor,
  grantOf,
  NO_ACCESS,
  RESOURCES,
  type Access,
  type Permissions,
  type Subject,
  type ToolRule,
} from '../../schemas/access.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import { glob } from '../../schemas/glob.ts';

const at = { file: 'access.yaml', line: 1 };
/** `-delete_*` denies, `+get_*` allows; `db/…` only for the server db. */
function rule(text: string): ToolRule {
  const [, sign, server, pattern = ''] = /^([+-])(?:([^/]+)\/)?(.+)$/.exec(text) ?? [];
  return { pattern, action: sign === '+' ? 'allow' : 'deny', ...(server === undefined ? {} : { server }), ...at };
}
const said = (rules: string[], more: Partial<Permissions> = {}): Permissions => ({
  rules: rules.map(rule),
  ...more,
  ...at,
});

interface Said {
  floor?: string[];
  server?: Permissions;
  project?: Permissions;
  role?: Permissions;
  global?: Permissions;
}

function decide({ floor = [], server, project, role, global }: Said, tool: string, readOnlyHint?: boolean) {
  const access: Access = {
    ...NO_ACCESS,
    floor: floor.map(rule),
    ...(global ? { global } : {}),
    servers: server ? { db: server } : {},
    projects: project ? { dev: project } : {},
  };
  const {
    allowed,
    level,
    rule: by,
  } = deciderFor(access, 'db', 'dev', role)(tool, readOnlyHint === undefined ? undefined : { readOnlyHint });
  return `${allowed ? 'yes' : 'no'} ${level}${by ? ` ${by.pattern ?? by.what}` : ''}`;
}

const deny = { default: 'deny' } as const;
const allow = { default: 'allow' } as const;
const readOnly = { readOnly: true } as const;

test.each<[name: string, said: Said, tool: string, expected: string]>([
  ['nothing is said', {}, 'drop', 'yes none'],
  ['a rule that does not match', { server: said(['-get_*']) }, 'drop', 'yes none'],
  ['the last match of a level', { server: said(['-*', '+dr*', '-drop']) }, 'drop', 'no server drop'],
  ['the last match, the other way', { server: said(['-drop', '+*']) }, 'drop', 'yes server *'],
  ['the server before the project', { server: said(['+drop']), project: said(['-drop']) }, 'drop', 'yes server drop'],
  ['the project before the role', { project: said(['+drop']), role: said(['-drop']) }, 'drop', 'yes project drop'],
  ['the role before the gateway', { role: said(['+drop']), global: said(['-drop']) }, 'drop', 'yes role drop'],
  ['the gateway at last', { global: said(['-drop']) }, 'drop', 'no global drop'],
  ['a global deny is no floor', { server: said(['+drop']), global: said(['-*drop*']) }, 'drop', 'yes server drop'],
  [
    'the floor is',
    { floor: ['-*drop*'], server: said(['+drop']), role: said(['+*'], allow) },
    'drop',
    'no floor *drop*',
  ],
  ['a floor for another server', { floor: ['-web/drop'] }, 'drop', 'yes none'],
  ['a floor for servers like this', { floor: ['-d?/drop'] }, 'drop', 'no floor drop'],
  ['a global rule for another server', { global: said(['-web/drop']) }, 'drop', 'yes none'],
  ['a rule before a default above it', { server: said([], deny), global: said(['+drop']) }, 'drop', 'yes global drop'],
  ['the default of the server first', { server: said([], deny), global: said([], allow) }, 'drop', 'no server default'],
  ['then of the project', { project: said([], allow), role: said([], deny) }, 'drop', 'yes project default'],
  ['then of the role', { role: said([], allow), global: said([], deny) }, 'drop', 'yes role default'],
  ['then of the gateway', { global: said([], deny) }, 'drop', 'no global default'],
  ['case does not matter', { server: said(['-DROP_*']) }, 'Drop_table', 'no server DROP_*'],
  ['? is exactly one', { server: said(['-drop?']) }, 'drop', 'yes none'],
  ['dots and brackets are themselves', { server: said(['-a.[b]']) }, 'axb', 'yes none'],
  ['readOnly without a word of the tool', { server: said([], readOnly) }, 'drop', 'no server readOnly'],
  ['readOnly and a rule beside it', { server: said(['+drop'], readOnly) }, 'drop', 'yes server drop'],
  ['readOnly and a deny beside it', { server: said(['+*', '-drop'], readOnly) }, 'drop', 'no server readOnly'],
  [
    'readOnly below an allow of the server',
    { server: said(['+*']), role: said([], readOnly) },
    'drop',
    'no role readOnly',
  ],
  ['readOnly above an allow', { server: said([], readOnly), role: said(['+*']) }, 'drop', 'no server readOnly'],
])('%s', (_, what, tool, expected) => {
  expect(decide(what, tool)).toBe(expected);
});

test('readOnly asks the tool itself: true opens it, and nothing else does', () => {
  const what = { role: said([], readOnly) };
  expect([true, false, undefined].map((hint) => decide(what, 'drop', hint))).toEqual([
    'yes none',
    'no role readOnly',
    'no role readOnly',
  ]);
  expect(decide({ ...what, server: said(['-drop']) }, 'drop', true)).toBe('no server drop');
  const loose = deciderFor({ ...NO_ACCESS, global: said([], readOnly) }, 'db', undefined, undefined);
  for (const hint of ['true', 1, null, {}]) expect(loose('drop', { readOnlyHint: hint }).allowed).toBe(false);
});

describe('patterns', () => {
  test('mean what a regular expression would', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '_', 'Ä'), maxLength: 12 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, letters, (wish, text) => {
        const source = wish.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.');
        expect(glob(wish)(text)).toBe(new RegExp(`^${source}$`, 'isu').test(text));
      }),
    );
  });

  test('catastrophic backtracking: a bad pattern and a long name take no time', () => {
    const began = performance.now();
    expect(glob(`${'a*'.repeat(60)}b`)('a'.repeat(5_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

const token = (more: Partial<Subject> = {}): Subject => ({
  kind: 'Token',
  name: 'ci',
  groups: [],
  roles: [],
  scopes: [],
  ...more,
});

test('roles can speak of every kind', () => {
  const plurals = Object.values(KINDS).map(({ plural }) => plural);
  expect(plurals.filter((plural) => !(RESOURCES as readonly string[]).includes(plural))).toEqual([]);
});

describe('roles', () => {
  const role = (verbs: string[], resources: string[], names?: string[]) => ({
    rules: [{ verbs, resources, ...(names ? { names } : {}), ...at }],
    operations: [],
    scopes: [],
    ...at,
  });
  const access: Access = {
    ...NO_ACCESS,
    roles: {
      editor: role(['edit'], ['secrets']),
      exposer: role(['expose'], ['servers']),
      runner: role(['run'], ['servers'], ['db-*']),
      keeper: role(['view'], ['rbac']),
    },
    members: { dev: ['db-main', 'web'], ops: ['web'] },
    bindings: [
      { name: 'a', subjects: [{ kind: 'Group', name: 'devs' }], role: 'viewer', projects: ['dev'], ...at },
      { name: 'b', subjects: [{ kind: 'User', name: 'ada' }], role: 'member', servers: ['web'], ...at },
    ],
  };
  const grant = (more: Partial<Subject>) => grantOf(access, token(more));

  test('nobody has nothing', () => {
    const none = grant({ roles: ['no-such-role'] });
    expect([none.roles.length > 0, none.operates, none.may('view', 'servers'), none.at('web', undefined).view]).toEqual(
      [false, false, false, false],
    );
    expect(none.decide('web', undefined, 'x')).toEqual({ allowed: false, level: 'grant' });
  });

  test('edit and expose include what they include, and nothing more', () => {
    const verbs = ['view', 'create', 'edit', 'delete', 'run', 'expose'] as const;
    const editor = grant({ roles: ['editor'] });
    expect(verbs.filter((verb) => editor.may(verb, 'secrets'))).toEqual(['view', 'create', 'edit', 'delete', 'expose']);
    expect(verbs.filter((verb) => editor.may(verb, 'tokens'))).toEqual([]);
    const exposer = grant({ roles: ['exposer'] });
    expect(verbs.filter((verb) => exposer.may(verb, 'servers'))).toEqual(['view', 'expose']);
    expect(grant({ roles: ['keeper'] }).may('view', 'rolebindings')).toBe(true);
  });

  test('with names, only those; without a name the question is about all', () => {
    const runner = grant({ roles: ['runner'] });
    expect(['db-main', 'DB-x', 'web', undefined].map((name) => runner.may('run', 'servers', name))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test('the built-in ones, and their aliases', () => {
    const scopes = (name: string): string[] => [...grant({ roles: [name] }).scopes];
    expect(scopes('viewer')).toEqual(['search']);
    expect(scopes('member')).toEqual(['search', 'graph', 'index', 'events', 'knowledge']);
    expect(scopes('owner')).toHaveLength(8);
    expect(scopes('admin')).toEqual(scopes('owner'));
    expect(['readonly', 'Read', 'write', 'contributor'].map((alias) => grant({ roles: [alias] }).roles[0])).toEqual([
      'viewer',
      'viewer',
      'member',
      'member',
    ]);
    // Who may use something may see what it is; what goes on around it is for viewers.
    const seen = (name: string): string[] =>
      [...RESOURCES].filter((word) => grant({ roles: [name] }).may('view', word));
    expect(seen('member')).toEqual(['servers', 'projects', 'prompts']);
    expect(seen('viewer')).toEqual(RESOURCES);
    expect(grant({ roles: ['viewer'] }).may('view', 'secrets')).toBe(true);
    expect(grant({ roles: ['viewer'] }).decide('web', undefined, 'get', { readOnlyHint: true }).allowed).toBe(true);
    expect(grant({ roles: ['viewer'] }).decide('web', undefined, 'get').allowed).toBe(false);
    expect(grant({ roles: ['viewer', 'member'] }).decide('web', undefined, 'get').allowed).toBe(true);
  });

  test('a binding reaches as far as it says: projects on their own routes, servers on any', () => {
    const dev = grant({ kind: 'User', name: 'eve', groups: ['devs'] });
    expect([dev.at('web', 'dev').view, dev.at('web', 'ops').view, dev.at('web', undefined).view]).toEqual([
      true,
      false,
      false,
    ]);
    expect(['db-main', 'web', 'other'].map((name) => dev.may('view', 'servers', name))).toEqual([true, true, false]);
    expect([
      dev.may('view', 'servers'),
      dev.may('view', 'projects', 'dev'),
      dev.may('view', 'projects', 'ops'),
    ]).toEqual([false, true, false]);
    expect([dev.may('view', 'secrets', 'x'), dev.may('view', 'secrets', 'x', 'dev'), dev.scope('search')]).toEqual([
      false,
      true,
      false,
    ]);
    const ada = grant({ kind: 'User', name: 'ada' });
    expect([ada.at('web', undefined).run, ada.at('web', 'dev').run, ada.at('db-main', 'dev').run]).toEqual([
      true,
      true,
      false,
    ]);
    expect(grant({ kind: 'Token', name: 'ada' }).roles).toEqual([]);
  });

  test('a Token’s own projects bound all that it has', () => {
    const ci = grant({ roles: ['owner'], projects: ['dev'], groups: ['devs'] });
    expect([
      ci.at('web', 'dev').run,
      ci.at('web', 'ops').run,
      ci.operation('sync'),
      ci.operation('logs', 'web'),
    ]).toEqual([true, false, false, true]);
    expect(ci.scope('audit')).toBe(false);
    expect(grantOf(access, token({ scopes: ['audit'], projects: ['dev'] })).scope('audit')).toBe(false);
    expect(grantOf(access, token({ scopes: ['audit'] })).scope('audit')).toBe(true);
  });

  test('each yes says which role it is from, who gives that, and where both are written', () => {
    const own = { file: 'tokens.yaml', line: 9 };
    const ci = grant({ roles: ['runner', 'owner'], scopes: ['audit'], groups: ['devs'], at: own });
    expect(ci.why('run', 'servers', 'db-x')).toEqual({ role: 'runner', places: [own, at] });
    // What is built in is written nowhere.
    expect(ci.why('edit', 'secrets')).toEqual({ role: 'owner', places: [own] });
    expect(ci.whyOperation('sync')).toEqual({ role: 'owner', places: [own] });
    expect(ci.whyScope('audit')).toEqual({ places: [own] });
    expect(ci.whyScope('graph')).toEqual({ role: 'owner', places: [own] });
    expect(ci.at('db-x', undefined).why).toEqual({ role: 'runner', places: [own, at] });
    expect(ci.given).toEqual([own, at]);
    const dev = grant({ kind: 'User', name: 'eve', groups: ['devs'] });
    expect(dev.why('view', 'servers', 'web')).toEqual({ role: 'viewer', binding: 'a', places: [at] });
    expect(dev.at('web', 'dev').why).toEqual({ role: 'viewer', binding: 'a', places: [at] });
    expect([dev.whyOperation('logs', 'web'), dev.whyScope('audit', 'dev'), dev.at('web', 'ops').why]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('roles that an access token does not extend to do not count', () => {
    const some = grant({ roles: ['viewer', 'admin'], withheld: ['admin'] });
    expect([some.roles, some.withheld, some.may('edit', 'servers')]).toEqual([['viewer'], ['admin'], false]);
  });
});

test('one more role never closes what was open', () => {
  const rules = fc.array(
    fc
      .tuple(
        fc.constantFrom('+', '-'),
        fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 3 }),
      )
      .map(([sign, pattern]) => sign + pattern),
    { maxLength: 4 },
  );
  const block = fc
    .record({ rules, default: fc.constantFrom(undefined, 'allow', 'deny'), readOnly: fc.boolean() })
    .map((it): Permissions =>
      said(it.rules, {
        ...(it.default === undefined ? {} : { default: it.default as 'allow' | 'deny' }),
        ...(it.readOnly ? readOnly : {}),
      }),
    );
  const runs = { rules: [{ verbs: ['run'], resources: ['servers'], ...at }], operations: [], scopes: [], ...at };
  fc.assert(
    fc.property(
      block,
      block,
      block,
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 }),
      fc.boolean(),
      (one, two, global, tool, hint) => {
        const access: Access = {
          ...NO_ACCESS,
          global,
          roles: { one: { ...runs, permissions: one }, two: { ...runs, permissions: two } },
        };
        const may = (roles: string[]): boolean =>
          grantOf(access, token({ roles })).decide('db', undefined, tool, { readOnlyHint: hint }).allowed;
        expect(may(['one', 'two'])).toBe(may(['one']) || may(['two']));
        expect(may(['two', 'one'])).toBe(may(['one', 'two']));
      },
    ),
  );
});
