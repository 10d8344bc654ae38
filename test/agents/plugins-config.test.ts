/** Plugins as a config says them: TypeScript that becomes JavaScript without being run, and what the gateway is told. */
import { describe, expect, test } from 'vitest';
import { compile, directorySource, memoryParseCache } from '../../reconciler/index.ts';
import { load } from '../../reconciler/load.ts';
import { resource } from '../helpers/config.ts';
import { writeFiles, type Files } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const { signal } = new AbortController();

async function loadFiles(files: Files) {
  using dir = tempDir();
  writeFiles(dir.path, { 'policy.yaml': resource('Policy', 'code', { plugins: ['*'] }), ...files });
  await using source = directorySource(dir.path);
  return await load(source, (await source.fetch(signal)).id, memoryParseCache(), signal);
}

const plugin = (name: string, file: string, more: object = {}): string =>
  resource('Plugin', name, { file, hooks: ['onToolsList'], ...more });

test('types are left out, lines stay, nothing runs; the gateway is told whose code runs where', async () => {
  const loaded = await loadFiles({
    'a.yaml': [
      plugin('base', 'plugins/base.mjs', { hooks: ['onPromptGet', 'onSessionCreate'], timeout: '1h', memory: '1Gi' }),
      plugin('child', 'plugins/child.ts', { extends: ['base'], config: { a: 1 } }),
      resource('Plugin', 'mix', { extends: ['child', 'base'] }),
      resource('Project', 'dev', { plugin: 'mix' }),
      resource('Gateway', 'main', { plugin: 'base' }),
    ].join('\n---\n'),
    'plugins/base.mjs': 'throw new Error("it ran")',
    'plugins/child.ts': 'interface A { b: string }\nexport const onToolsList = (a: A) => a.b as unknown;\n',
  });
  expect(loaded.issues).toEqual([]);
  const { plugins, routes } = compile(loaded).draft;
  const none = { config: {}, timeoutMs: 1_000, memoryBytes: 2 ** 25 };
  const inherited = { onPromptGet: ['base'], onSessionCreate: ['base'] };
  expect(plugins).toEqual({
    base: {
      ...none,
      file: 'plugins/base.mjs',
      code: 'throw new Error("it ran")',
      timeoutMs: 10_000,
      memoryBytes: 2 ** 27,
      hooks: inherited,
    },
    child: {
      ...none,
      file: 'plugins/child.ts',
      code: expect.stringMatching(/^ +\nexport const onToolsList = \(a {3}\) => a\.b {11};\n$/) as unknown,
      config: { a: 1 },
      hooks: { ...inherited, onToolsList: ['child'] },
    },
    mix: { ...none, hooks: { ...inherited, onToolsList: ['child'] } },
  });
  expect([routes['/mcp']?.plugin, routes['/projects/dev/mcp']?.plugin]).toEqual(['base', 'mix']);
});

test('a file that cannot be used is refused, with the place that names it and its line', async () => {
  const files = {
    'syntax.ts': 'export const onToolsList = 1;\nexport function {',
    'enum.ts': 'export const onToolsList = 1;\n\nenum A { b }\n',
    'types.mjs': 'export const onToolsList = (a: string) => a;\n',
    'broken.mjs': 'export const = 1;\n',
  };
  const { issues } = await loadFiles({
    'a.yaml': [...Object.keys(files), 'gone.ts'].map((file) => plugin(file.replace('.', '-'), file)).join('\n---\n'),
    ...files,
  });
  const found = new Map(
    issues.map(({ message, code, path, hint }) => [message.split(/[ :]/)[0], { message, code, path, hint }]),
  );
  expect(issues.map(({ path }) => path)).toEqual(Array(5).fill('spec.file'));
  expect(found.get('syntax.ts')).toMatchObject({
    code: 'invalid-value',
    message: expect.stringMatching(/^syntax\.ts: line 2: Expected/) as unknown,
  });
  expect(found.get('enum.ts')?.message).toBe('enum.ts: line 3: TypeScript enum is not supported in strip-only mode.');
  expect(found.get('enum.ts')?.hint).toMatch(/no enum/);
  expect(found.get('types.mjs')).toMatchObject({
    message: 'types.mjs: it has types.',
    hint: 'Name it .ts, or leave them out.',
  });
  expect(found.get('broken.mjs')?.message).toMatch(/^broken\.mjs: line 1: /);
  expect(found.get('There')?.message).toBe('There is no file gone.ts.');
});

test('a circle is told as a path, a conflict with those who have the hook', async () => {
  const { issues } = await loadFiles({
    'a.yaml': [
      ...[
        ['a', 'b'],
        ['b', 'c'],
        ['c', 'a'],
      ].map(([name = '', parent]) => resource('Plugin', name, { extends: [parent] })),
      plugin('left', 'x.mjs'),
      plugin('right', 'x.mjs'),
      resource('Plugin', 'torn', { extends: ['left', 'right'] }),
    ].join('\n---\n'),
    'x.mjs': 'export const onToolsList = () => {};',
  });
  const messages = issues.map(({ code, message }) => `${code}: ${message}`);
  expect(messages).toContainEqual(expect.stringMatching(/^reference-cycle: .*a.*b.*c.*a/));
  expect(messages).toContain('conflicting-fields: left and right each have onToolsList, and only one can run.');
});

test.each([
  ['Plugin', 'gate', 'write gate: {} on the Project'],
  ['Plugin', 'content-pipeline', 'name a Pipeline'],
  ['Plugin', 'default', 'there is none to extend'],
  ['Pipeline', 'default', 'none applies by itself'],
  ['Pipeline', 'gate', 'write gate: {} on the Project'],
])('a %s %s would mislead: what to write instead is said', async (kind, name, what) => {
  const spec = kind === 'Plugin' ? { file: 'x.mjs', hooks: ['onToolsList'] } : { stages: [{ type: 'csv' }] };
  const { issues } = await loadFiles({ 'a.yaml': resource(kind, name, spec), 'x.mjs': '' });
  expect(issues).toMatchObject([{ code: 'reserved-name', message: expect.stringContaining(what) as unknown }]);
});

test('code asks models only where a Policy says so, and the gateway is told what it may', async () => {
  const files: Files = {
    'a.yaml': [
      plugin('asking', 'x.mjs', { llm: true, cache: 'route' }),
      resource('Pipeline', 'curious', { stages: [{ type: 'module', file: 'x.mjs', llm: true }] }),
    ].join('\n---\n'),
    'x.mjs': 'export const onToolsList = () => {};',
  };
  const may = (llm: string[]): Files => ({
    'policy.yaml': resource('Policy', 'code', { plugins: ['*'], code: ['*'], llm }),
  });
  const { issues } = await loadFiles({ ...files, ...may(['other']) });
  const hint = 'Name it in spec.llm of a Policy, and have that reviewed.';
  expect(issues).toMatchObject([
    {
      code: 'code-not-allowed',
      path: 'spec.llm',
      hint,
      message: 'No Policy lets the Plugin asking ask language models.',
    },
    { code: 'code-not-allowed', path: 'spec.stages[0].llm', hint },
  ]);
  const loaded = await loadFiles({ ...files, ...may(['asking', 'cur*']) });
  expect(loaded.issues).toEqual([]);
  const { plugins, pipelines } = compile(loaded).draft;
  expect(plugins?.['asking']).toMatchObject({ llm: true, cache: 'route' });
  expect(pipelines?.['curious']?.stages).toMatchObject([{ type: 'module', llm: true }]);
});

test('what secrets are taken out of is not shown to a model before', async () => {
  const stages = [{ type: 'module', file: 'x.mjs', llm: true }, { type: 'redact' }];
  const { issues } = await loadFiles({
    'a.yaml': resource('Pipeline', 'leaky', { stages }),
    'policy.yaml': resource('Policy', 'code', { code: ['*'], llm: ['*'] }),
    'x.mjs': '',
  });
  const message = 'redact must stand before module: what it asks a model leaves this host.';
  expect(issues).toMatchObject([{ code: 'conflicting-fields', path: 'spec.stages[1]', message }]);
});

describe('tools', () => {
  const bringing = (tools: object[], more: object = {}): string => plugin('it', 'x.mjs', { hooks: [], tools, ...more });
  const issuesOf = async (yaml: string): Promise<string[]> => {
    const { issues } = await loadFiles({ 'a.yaml': yaml, 'x.mjs': 'export const tools = {};' });
    return issues.map(({ path, code, message }) => `${path}: ${code}: ${message}`);
  };
  const described = (name: string, more: object = {}): object => ({ name, description: 'It.', ...more });

  test('are what the gateway is told, with whose code answers them', async () => {
    const inputSchema = { type: 'object', properties: { a: { type: 'string', pattern: '^a' } }, required: ['a'] };
    const base = plugin('base', 'x.mjs', { hooks: [], tools: [described('one', { inputSchema }), described('two')] });
    const child = bringing([described('two', { annotations: { readOnlyHint: true } })], { extends: ['base'] });
    const loaded = await loadFiles({ 'a.yaml': `${base}\n---\n${child}`, 'x.mjs': 'export const tools = {};' });
    expect(loaded.issues).toEqual([]);
    expect(compile(loaded).draft.plugins?.['it']?.tools).toEqual([
      {
        ...described('two'),
        annotations: { readOnlyHint: true },
        inputSchema: { type: 'object', properties: {} },
        owner: 'it',
      },
      { ...described('one'), inputSchema, owner: 'base' },
    ]);
  });

  test.each([
    [
      'twice the same',
      [described('a'), described('a')],
      'spec.tools[1].name: invalid-value: There is a tool a above already.',
    ],
    [
      'one of Slipway’s',
      [described('find_tools')],
      'spec.tools[0].name: reserved-name: Slipway has a tool find_tools of its own.',
    ],
    ['a name that is none', [described('a b')], 'spec.tools[0].name: invalid-value: '],
    ['no description', [{ name: 'a' }], 'spec.tools[0].description: missing-field: '],
    [
      'a schema of another type',
      [described('a', { inputSchema: { type: 'array' } })],
      'spec.tools[0].inputSchema.type: ',
    ],
    [
      'a schema that is none',
      [described('a', { inputSchema: { type: 'object', properties: { b: { type: 'text' } } } })],
      'spec.tools[0].inputSchema.properties.b',
    ],
    [
      'a pattern that is none',
      [described('a', { inputSchema: { type: 'object', properties: { b: { pattern: '(' } } } })],
      'spec.tools[0].inputSchema.properties.b',
    ],
    [
      'a list of required that is none',
      [described('a', { inputSchema: { type: 'object', required: 'b' } })],
      'spec.tools[0].inputSchema.required: ',
    ],
    [
      'a schema that is too long',
      [described('a', { inputSchema: { type: 'object', description: 'x'.repeat(20_000) } })],
      'spec.tools[0].inputSchema: ',
    ],
  ])('with %s are refused, with the place', async (_, tools, issue) => {
    expect((await issuesOf(bringing(tools))).join('\n')).toContain(issue);
  });

  test('that look like those of a server are refused, and those that two parents have', async () => {
    const project = resource('Project', 'dev', { servers: ['git'], toolSeparator: '-' });
    const server = resource('Server', 'git', { url: 'https://example.com/mcp' });
    const yaml = [bringing([described('git-push'), described('git__pull')]), project, server].join('\n---\n');
    expect(await issuesOf(yaml)).toEqual([
      'spec.tools[0].name: invalid-value: git-push begins with git-, as tools of a server do.',
      'spec.tools[1].name: invalid-value: git__pull begins with git__, as tools of a server do.',
    ]);
    const [left, right] = ['left', 'right'].map((name) =>
      plugin(name, 'x.mjs', { hooks: [], tools: [described('a')] }),
    );
    expect(
      await issuesOf([left, right, resource('Plugin', 'torn', { extends: ['left', 'right'] })].join('\n---\n')),
    ).toEqual(['spec.extends: conflicting-fields: left and right each have a, and only one can run.']);
  });
});
