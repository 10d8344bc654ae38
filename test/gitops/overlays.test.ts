/** One config for several environments: what Overlays change, in which order, and what is said of those that cannot. */
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { judge, shapesOf } from '../../reconciler/assemble/assemble.ts';
import { load } from '../../reconciler/load.ts';
import { memoryParseCache } from '../../reconciler/parse-cache.ts';
import { directorySource } from '../../reconciler/source/directory.ts';
import { parseFile } from '../../schemas/parse.ts';
import { addressOf, formatIssue, type Resource } from '../../schemas/resource.ts';
import { cli } from '../helpers/cli.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { TestRepo, writeFiles, type Files } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { keyFile } from '../helpers/secrets.ts';
import { sopsEncrypt } from '../helpers/sops.ts';
import { tempDir } from '../helpers/temp.ts';

const BASE = `apiVersion: slipway/v1
kind: Server
metadata: { name: web-a, labels: { tier: front } }
spec:
  command: [memory, v1]
  runtime: memory
  env: [{ name: LEVEL, value: debug }]
---
apiVersion: slipway/v1
kind: Server
metadata: { name: web-b, labels: { tier: back } }
spec: { command: [memory, v1], runtime: memory }
`;

const PROD = `apiVersion: slipway/v1
kind: Overlay
metadata: { name: prod }
spec:
  environments: [prod]
  patches:
    - target: { kind: Server, name: web-* }
      patch:
        - { op: replace, path: /spec/replicas, value: 3 }
    - target: { kind: Server, labels: { tier: front } }
      patch:
        - { op: test, path: /spec/env/0/name, value: LEVEL }
        - { op: replace, path: /spec/env/0/value, value: warn }
        - { op: add, path: /spec/env/-, value: { name: EXTRA, value: "1" } }
`;

/** An Overlay for prod with one patch, each operation on a line of its own, the first on line 9. */
function overlay(target: string, operations: readonly string[], more = ''): string {
  return [
    'apiVersion: slipway/v1',
    'kind: Overlay',
    'metadata: { name: prod }',
    'spec:',
    `  environments: [prod]${more}`,
    '  patches:',
    `    - target: ${target}`,
    '      patch:',
    ...operations.map((operation) => `        - ${operation}`),
  ].join('\n');
}

function parsed(files: Readonly<Record<string, string>>): { resources: Resource[]; refused: string[] } {
  const all = Object.entries(files).map(([path, content]) => parseFile(path, Buffer.from(content)));
  expect(all.flatMap(({ issues }) => issues)).toEqual([]);
  return { resources: all.flatMap(({ resources }) => resources), refused: [] };
}

function inProd(files: Readonly<Record<string, string>>) {
  const { resources, refused } = parsed(files);
  const result = assemble(resources, refused, 'prod');
  const find = (address: string) => result.resources.find((one) => addressOf(one) === address);
  return { find, issues: result.issues, told: result.issues.map(formatIssue).join('\n') };
}

function assemble(resources: readonly Resource[], refused: readonly string[], environment: string | undefined) {
  return judge(shapesOf(resources, refused, environment), refused);
}

test('what an Overlay changes is changed in its environment, and nowhere else', () => {
  const files = { 'base.yaml': BASE, 'overlays/prod.yaml': PROD };
  const { find, issues } = inProd(files);
  expect(issues).toEqual([]);
  expect(find('Server/web-a')?.spec).toMatchObject({
    replicas: 3,
    env: [
      { name: 'LEVEL', value: 'warn' },
      { name: 'EXTRA', value: '1' },
    ],
  });
  expect(find('Server/web-b')?.spec).toMatchObject({ replicas: 3, env: [] });
  const { resources } = parsed(files);
  const base = assemble(resources, [], undefined);
  expect(base.issues).toEqual([]);
  expect(base.resources).toEqual(resources);
});

test('each field says which operation it comes from', () => {
  const { find } = inProd({ 'base.yaml': BASE, 'overlays/prod.yaml': PROD });
  const from = { from: 'Overlay/prod', file: 'overlays/prod.yaml' };
  expect(find('Server/web-a')?.origins).toEqual([
    { path: 'spec.replicas', ...from, line: 9 },
    { path: 'spec.env[0].value', ...from, line: 13 },
    { path: 'spec.env[1]', ...from, line: 14 },
  ]);
});

test('of several Overlays, `order` says who comes last, and then the name', () => {
  const one = (name: string, order: number, value: number): string =>
    overlay(
      '{ kind: Server, name: web-a }',
      [`{ op: replace, path: /spec/replicas, value: ${value} }`],
      `\n  order: ${order}`,
    ).replace('name: prod', `name: ${name}`);
  const replicas = (...overlays: string[]): unknown =>
    inProd({ 'base.yaml': BASE, 'o.yaml': overlays.join('\n---\n') }).find('Server/web-a')?.spec;
  expect(replicas(one('a', 0, 5), one('b', 0, 6))).toMatchObject({ replicas: 6 });
  expect(replicas(one('b', 0, 6), one('a', 0, 5))).toMatchObject({ replicas: 6 });
  expect(replicas(one('a', 1, 5), one('b', 0, 6))).toMatchObject({ replicas: 5 });
});

test.each([
  ['{ op: replace, path: /spec/nothing, value: 1 }', /there is nothing at that path/],
  ['{ op: remove, path: /spec/env/7 }', /there is nothing at that path|shorter/],
  ['{ op: test, path: /spec/replicas, value: 9 }', /there is another value/],
  ['{ op: copy, from: /spec/gone, path: /spec/description }', /there is nothing to take/],
  ['{ op: add, path: /spec/a/b/c, value: 1 }', /nothing/],
])('an operation that does not apply says which, where, and on what: %s', (operation, reason) => {
  const { issues, find } = inProd({
    'base.yaml': BASE,
    'o.yaml': overlay('{ kind: Server, name: web-a }', ['{ op: add, path: /spec/description, value: x }', operation]),
  });
  expect(issues).toMatchObject([
    { file: 'o.yaml', line: 10, code: 'overlay-failed', path: 'spec.patches[0].patch[1]' },
  ]);
  expect(issues[0]?.message).toMatch(reason);
  expect(issues[0]?.message).toContain('(operation 2) does not apply to Server/web-a at base.yaml:1');
  // All of a patch or none.
  expect(find('Server/web-a')?.spec).not.toHaveProperty('description');
});

test('the result is checked by its kind, and the issue names both places', () => {
  const { issues } = inProd({
    'base.yaml': BASE,
    'o.yaml': overlay('{ kind: Server, name: web-b }', [
      '{ op: replace, path: /spec/replicas, value: many }',
      '{ op: add, path: /spec/replcas, value: 2 }',
      '{ op: add, path: /spec/dependsOn/-, value: nobody }',
    ]),
  });
  expect(issues.map(({ file, line, code }) => ({ file, line, code }))).toEqual([
    { file: 'o.yaml', line: 9, code: 'wrong-type' },
    { file: 'o.yaml', line: 10, code: 'unknown-field' },
  ]);
  for (const { message } of issues) expect(message).toContain('Server/web-b at base.yaml:9');
});

test('a reference that an Overlay brings must lead somewhere, too', () => {
  const { told } = inProd({
    'base.yaml': BASE,
    'o.yaml': overlay('{ kind: Server, name: web-b }', ['{ op: add, path: /spec/dependsOn/-, value: web-c }']),
  });
  expect(told).toContain(
    'o.yaml:9:1: dangling-reference: There is no Server named web-c, for Server/web-b at base.yaml:9. (spec.dependsOn[0])',
  );
});

test.each([
  ['{ kind: Server, name: webb-a }', 'overlay-unmatched', 'Did you mean web-a?'],
  ['{ kind: Server, labels: { tier: middle } }', 'overlay-unmatched', undefined],
  ['{ kind: Sever }', 'unknown-kind', 'Did you mean Server?'],
  ['{ kind: Overlay, name: prod }', 'invalid-value', undefined],
])('a target that is not there is an issue: %s', (target, code, hint) => {
  const { issues } = inProd({
    'base.yaml': BASE,
    'o.yaml': overlay(target, ['{ op: remove, path: /spec/env }']),
  });
  expect(issues).toMatchObject([{ file: 'o.yaml', line: 7, code }]);
  if (hint !== undefined) expect(issues[0]?.hint).toBe(hint);
});

test('who a resource is, and what objects are made of, cannot be patched', () => {
  for (const path of ['/kind', '/metadata/name', '/apiVersion', '/spec/__proto__/x', '/spec/constructor/prototype/x']) {
    const file = overlay('{ kind: Server, name: web-a }', [`{ op: add, path: ${path}, value: x }`]);
    const { issues, resources } = parseFile('o.yaml', Buffer.from(file));
    const all = [...parsed({ 'base.yaml': BASE }).resources, ...resources];
    expect([...issues, ...assemble(all, ['Overlay/prod'], 'prod').issues], path).toMatchObject([{ line: 9 }]);
  }
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
});

async function loadedFrom(files: Files, environment?: string) {
  using dir = tempDir();
  writeFiles(dir.path, files);
  const source = { ...directorySource(dir.path), ...(environment === undefined ? {} : { environment }) };
  const { id } = await source.fetch(new AbortController().signal);
  return await load(source, id, memoryParseCache(), new AbortController().signal);
}

test('without an environment each is checked, so that a mistake shows before anybody goes there', async () => {
  const files = {
    'base.yaml': BASE,
    'o.yaml': overlay('{ kind: Server, name: gone }', ['{ op: remove, path: /spec/env }']),
  };
  const { issues } = await loadedFrom(files);
  expect(issues).toMatchObject([{ code: 'overlay-unmatched', file: 'o.yaml', line: 7 }]);
  expect(issues[0]?.message).toMatch(/\(environment prod\)$/);
});

test('an environment that no Overlay is for brings nothing at all', async () => {
  const files = { 'base.yaml': BASE, 'overlays/prod.yaml': PROD };
  await expect(loadedFrom(files, 'prodd')).rejects.toMatchObject({
    code: 'unknown-environment',
    hint: 'Did you mean prod?',
  });
});

test('a target with issues of its own is told of once', async () => {
  const { issues } = await loadedFrom({
    'base.yaml': memoryServer('web', 'v1', { replcas: 2 }),
    'o.yaml': overlay('{ kind: Server, name: web }', ['{ op: remove, path: /spec/env }']),
  });
  expect(issues).toMatchObject([{ file: 'base.yaml', code: 'unknown-field' }]);
});

test('a running Slipway of an environment rolls out what is meant for it, and refuses a broken Overlay as a whole', async () => {
  using repo = new TestRepo();
  const { gitSource } = await import('../../reconciler/source/git.ts');
  using dir = tempDir();
  const source = { ...gitSource({ url: repo.url, ref: 'main', mirror: dir.at('mirror.git') }), environment: 'prod' };
  await using rig = await Rig.make({ repo, source });
  await rig.apply({ 'base.yaml': BASE, 'overlays/prod.yaml': PROD });
  expect((await rig.memory.list(new AbortController().signal)).length).toBe(6);
  const broken = overlay('{ kind: Server, name: web-a }', ['{ op: replace, path: /spec/none, value: 1 }']);
  await expect(rig.apply({ 'overlays/prod.yaml': broken })).rejects.toMatchObject({ code: 'invalid-config' });
  const status = await rig.reconciler.status();
  expect(status.issues).toMatchObject([{ file: 'overlays/prod.yaml', line: 9, code: 'overlay-failed' }]);
  expect((await rig.memory.list(new AbortController().signal)).length).toBe(6);
});

test('commands read the config as it is for an environment', async () => {
  using dir = tempDir();
  writeFiles(dir.path, { 'base.yaml': BASE, 'overlays/prod.yaml': PROD });
  const get = await cli(['get', 'server', 'web-a', '--local', '--env', 'prod', '-o', 'yaml'], { cwd: dir.path });
  expect(get.out).toContain('replicas: 3');
  const plain = await cli(['get', 'server', 'web-a', '--local', '-o', 'yaml'], { cwd: dir.path });
  expect(plain.out).toContain('replicas: 1');
  const wrong = await cli(['validate', '--env', 'prodd'], { cwd: dir.path });
  expect(wrong.code).toBe(1);
  expect(wrong.err).toContain('Did you mean prod?');
  const plan = await cli(['plan', '--env', 'prod', '-o', 'json'], { cwd: dir.path });
  expect(plan.code).toBe(2);
});

test('an environment may have an encrypted file of its own, which is no config in the others', async () => {
  using dir = tempDir();
  const { recipient } = await keyFile(dir.at('own.key'));
  const sops = async (value: Record<string, string>): Promise<string> => {
    const file = await sopsEncrypt(value, { recipients: [recipient] });
    return stringify({ ...file.tree, sops: file.sops });
  };
  const files = {
    'secret.yaml': resource('Secret', 'db', { sops: { file: 'dev.sops.yaml' } }),
    'dev.sops.yaml': await sops({ password: 'a' }),
    'prod.sops.yaml': await sops({ password: 'b', extra: 'c' }),
    'overlays.yaml': [
      overlay('{ kind: Secret, name: db }', ['{ op: replace, path: /spec/sops/file, value: prod.sops.yaml }']),
      'apiVersion: slipway/v1\nkind: Overlay\nmetadata: { name: dev }\nspec: { environments: [dev] }',
    ].join('\n---\n'),
  };
  const keys = async (environment?: string): Promise<unknown> => {
    const { issues, resources } = await loadedFrom(files, environment);
    expect(issues).toEqual([]);
    const secret = resources.find(({ kind }) => kind === 'Secret');
    return Object.values(secret?.files ?? {}).map((values) => Object.keys(values));
  };
  expect(await keys('prod')).toEqual([['password', 'extra']]);
  expect(await keys('dev')).toEqual([['password']]);
  expect(await keys()).toEqual([['password']]);
});
