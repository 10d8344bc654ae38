/** Blueprints of servers: followed by those that name them, copied by `template use`, merged into copies by `template upgrade`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { judge, shapesOf } from '../../reconciler/assemble/assemble.ts';
import { parseFile } from '../../schemas/parse.ts';
import { addressOf, formatIssue, type Resource } from '../../schemas/resource.ts';
import { cli } from '../helpers/cli.ts';
import { TestRepo, writeFiles, type Files } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';

const TEMPLATE = `apiVersion: slipway/v1
kind: Template
metadata: { name: docs }
spec:
  params:
    site: { required: true }
    replicas: { type: integer, default: 1 }
    more: { type: list }
    about: {}
  server:
    runtime: memory
    description: "\${about}"
    command: [docs, "\${site}", "--at=\${site}:$\${PORT}", "\${more}"]
    env: [{ name: LEVEL, value: info }, { name: SITE, value: "\${site}" }]
    replicas: \${replicas}
`;

/** A Server made of it; `template` stands on line 5. */
const server = (params: string, more = '', name = 'handbook'): string =>
  [
    'apiVersion: slipway/v1',
    'kind: Server',
    `metadata: { name: ${name} }`,
    'spec:',
    `  template: { name: docs, params: ${params} }`,
    more,
  ].join('\n');

function loaded(files: Readonly<Record<string, string>>) {
  const parsed = Object.entries(files).map(([path, content]) => parseFile(path, Buffer.from(content)));
  expect(parsed.flatMap(({ issues }) => issues)).toEqual([]);
  const { resources, issues } = assemble(
    parsed.flatMap((one) => one.resources),
    [],
    undefined,
  );
  return {
    issues,
    told: issues.map(formatIssue).join('\n'),
    handbook: resources.find((one) => addressOf(one) === 'Server/handbook'),
  };
}

function assemble(resources: readonly Resource[], refused: readonly string[], environment: string | undefined) {
  return judge(shapesOf(resources, refused, environment), refused);
}

test('a server is what its template says, with its parameters, and what it says itself goes before', () => {
  const more = `  timeout: 5s\n  env: [{ name: LEVEL, value: debug }, { name: OWN, value: x }]`;
  const { issues, handbook } = loaded({
    't.yaml': TEMPLATE,
    's.yaml': server('{ site: handbook, replicas: 3, more: [--a, --b] }', more),
  });
  expect(issues).toEqual([]);
  expect(handbook?.spec).toMatchObject({
    command: ['docs', 'handbook', '--at=handbook:${PORT}', '--a', '--b'],
    env: [
      { name: 'LEVEL', value: 'debug' },
      { name: 'SITE', value: 'handbook' },
      { name: 'OWN', value: 'x' },
    ],
    replicas: 3,
    timeout: '5s',
  });
  expect(handbook?.spec).not.toHaveProperty('description');
  expect(handbook?.spec).not.toHaveProperty('template');
  expect(handbook).not.toHaveProperty('written');
  expect(handbook?.origins).toContainEqual({ path: 'spec.replicas', from: 'Template/docs', file: 't.yaml', line: 15 });
});

test('nothing that a parameter holds becomes YAML, another field, or another parameter', () => {
  const hostile = 'x"], privileged: true\\nimage: evil # ${replicas} $${site}';
  const { issues, handbook } = loaded({
    't.yaml': TEMPLATE,
    's.yaml': server(`{ site: "${hostile.replaceAll('"', '\\"')}" }`),
  });
  expect(issues).toEqual([]);
  const text = hostile.replace('\\n', '\n');
  expect(handbook?.spec).toMatchObject({ command: ['docs', text, `--at=${text}:\${PORT}`] });
  expect(handbook?.spec).not.toHaveProperty('image');
});

test.each([
  ['{}', /needs the parameter site/, 5],
  ['{ site: a, replcas: 2 }', /has no parameter replcas; did you mean replicas\?/, 5],
  ['{ site: 7 }', /says that site must be a string/, 5],
  ['{ site: a, replicas: 1.5 }', /replicas must be an integer/, 5],
  ['{ site: a, more: [1] }', /more must be a list of strings/, 5],
])('parameters that do not fit are told where they stand: %s', (params, message, line) => {
  const { issues } = loaded({ 't.yaml': TEMPLATE, 's.yaml': server(params) });
  expect(issues).toMatchObject([{ file: 's.yaml', line, code: 'template-params' }]);
  expect(issues[0]?.message).toMatch(message);
  expect(issues[0]?.message).toContain('Template/docs at t.yaml:1');
});

test('the result is checked as a Server, and the issue names the template and who uses it', () => {
  const { issues } = loaded({ 't.yaml': TEMPLATE, 's.yaml': server('{ site: a, replicas: 0 }') });
  expect(issues).toMatchObject([{ file: 't.yaml', line: 15, code: 'invalid-value', path: 'spec.replicas' }]);
  expect(issues[0]?.message).toContain('in what Server/handbook at s.yaml:1 makes of Template/docs at t.yaml:1');
});

test('a template that is not there is a dangling reference, with the one that may have been meant', () => {
  const { told } = loaded({ 't.yaml': TEMPLATE, 's.yaml': server('{}').replace('name: docs', 'name: docz') });
  expect(told).toContain('dangling-reference: There is no Template named docz.');
  expect(told).toContain('Did you mean docs?');
});

test('a change of the template is rolled out to those that name it', async () => {
  using repo = new TestRepo();
  await using rig = await Rig.make({ repo });
  await rig.apply({ 't.yaml': TEMPLATE, 's.yaml': server('{ site: handbook }') });
  expect(await rig.condition('handbook')).toBe('True=Succeeded');
  const before = (await rig.memory.list(new AbortController().signal)).map(({ hash }) => hash);
  await rig.apply({ 't.yaml': TEMPLATE.replace('value: info', 'value: warn') });
  const after = (await rig.memory.list(new AbortController().signal)).map(({ hash }) => hash);
  expect(after).toHaveLength(1);
  expect(after).not.toEqual(before);
});

async function folder(
  files: Files,
): Promise<{ dir: TempDir; run: (...args: string[]) => ReturnType<typeof cli>; read: (path: string) => string }> {
  const dir = tempDir();
  writeFiles(dir.path, files);
  return {
    dir,
    run: (...args) => cli(args, { cwd: dir.path }),
    read: (path) => readFileSync(join(dir.path, path), 'utf8'),
  };
}

test('a copy keeps what was changed in it, and gets what the template changed', async () => {
  const { dir, run, read } = await folder({ 't.yaml': TEMPLATE });
  using _ = dir;
  const used = await run(
    'template',
    'use',
    'docs',
    'handbook',
    '-p',
    'site=handbook',
    '-p',
    'more=--a',
    '-p',
    'more=--b',
  );
  expect(used).toMatchObject({ code: 0, err: '' });
  expect((await run('get', 'server', 'handbook', '--local', '-o', 'json')).out).toContain('"--b"');
  expect((await run('template', 'diff')).code).toBe(0);

  // Somebody edits the copy, with a comment; somebody else the template.
  const path = 'servers/handbook.yaml';
  writeFiles(dir.path, {
    [path]: read(path)
      .replace('value: info }', 'value: debug } # for a week')
      .replace('replicas: 1', 'replicas: 1 # enough'),
    't.yaml': TEMPLATE.replace('default: 1', 'default: 2').replace('name: SITE', 'name: PLACE'),
  });
  const diff = await run('template', 'diff');
  expect(diff.code).toBe(2);
  expect(diff.out.split('\n')).toEqual([
    'Server/handbook is a copy of Template/docs, which has by now',
    '  - env.SITE: {"name":"SITE","value":"handbook"}',
    '  + env.PLACE: {"name":"PLACE","value":"handbook"}',
    '  ~ replicas: 1 -> 2',
  ]);
  expect(await run('template', 'upgrade')).toMatchObject({ code: 0 });
  const merged = read(path);
  expect(merged).toContain('value: debug } # for a week');
  expect(merged).toContain('replicas: 2 # enough');
  expect(merged).toContain('name: PLACE');
  expect(merged).not.toContain('name: SITE,');
  expect((await run('template', 'diff')).code).toBe(0);
  const again = await run('template', 'upgrade');
  expect(again.out).toContain('unchanged');
  expect(read(path)).toBe(merged);
});

test('what both changed is a conflict, until somebody says whose it is', async () => {
  const { dir, run, read } = await folder({ 't.yaml': TEMPLATE });
  using _ = dir;
  await run('template', 'use', 'docs', 'handbook', '-p', 'site=handbook');
  const path = 'servers/handbook.yaml';
  writeFiles(dir.path, {
    [path]: read(path).replace('replicas: 1', 'replicas: 5'),
    't.yaml': TEMPLATE.replace('default: 1', 'default: 2'),
  });
  const before = read(path);
  const refused = await run('template', 'upgrade', 'handbook');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('! replicas: 1 -> 2 in the template, 5 here');
  expect(read(path)).toBe(before);
  expect(await run('template', 'upgrade', '--prefer', 'mine')).toMatchObject({ code: 0 });
  expect(read(path)).toContain('replicas: 5');
  writeFiles(dir.path, { 't.yaml': TEMPLATE.replace('default: 1', 'default: 3') });
  expect(await run('template', 'upgrade', '--prefer', 'template')).toMatchObject({ code: 0 });
  expect(read(path)).toContain('replicas: 3');
});

test('a server that names a template is no copy, and stays as short as it is when it is printed and applied', async () => {
  const { dir, run, read } = await folder({ 't.yaml': TEMPLATE, 's.yaml': server('{ site: a }') });
  using _ = dir;
  expect((await run('template', 'upgrade', 'handbook')).err).toContain('follows it by itself');
  const { out } = await run('get', 'server', 'handbook', '--local', '-o', 'yaml');
  const before = read('s.yaml');
  writeFiles(dir.path, { '.printed/x.yaml': out });
  expect(await run('apply', '-f', '.printed/x.yaml')).toMatchObject({ code: 0 });
  expect(read('s.yaml')).toBe(before);
  writeFiles(dir.path, { '.printed/x.yaml': out.replace('replicas: 1', 'replicas: 4') });
  expect(await run('apply', '-f', '.printed/x.yaml')).toMatchObject({ code: 0 });
  expect(read('s.yaml')).toContain('template: { name: docs, params: { site: a } }');
  expect(read('s.yaml')).toContain('replicas: 4');
  expect(read('s.yaml')).not.toContain('command');
});

test('what sounds like a secret does not get into a copy in clear', async () => {
  const { dir, run } = await folder({ 't.yaml': TEMPLATE.replace('name: SITE', 'name: API_KEY') });
  using _ = dir;
  const refused = await run('template', 'use', 'docs', 'x', '-p', 'site=hunter22');
  expect(refused.code).toBe(1);
  expect(refused.err).not.toContain('hunter22');
  expect((await run('template', 'use', 'docz', 'x')).err).toContain('Did you mean docs?');
  expect((await run('template', 'use', 'docs', 'x', '-p', 'sit=1')).code).toBe(64);
});
