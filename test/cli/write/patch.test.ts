/** One field, one document, one entry of a list: nothing else changes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Said } from '../../helpers/cli.ts';
import { CONFIG, Folder, GITHUB, PROJECTS } from './folder.ts';

describe('patch', () => {
  test.each<[string, readonly string[], string, string]>([
    ['a number', ['replicas=3'], 'replicas: 2', 'replicas: 3'],
    ['an item by its name', ['env.MODE.value=slow'], "'fast'", "'slow'"],
    ['an item by its index', ['spec.command[1]=b.mjs'], '"server.mjs"', '"b.mjs"'],
    ['a label with dots', ['metadata.labels[example.com/x]=y'], 'team: core }', 'team: core, example.com/x: y }'],
    ['what is taken away', ['description=null'], '  description: Issues and pull requests.\n', ''],
    ['a merge patch', ['-p', '{"spec":{"replicas":4,"description":null}}'], '', ''],
    [
      'a JSON patch',
      ['--type', 'json', '-p', '[{"op":"add","path":"/spec/env/0","value":{"name":"A","value":"1"}}]'],
      '    - { name: MODE',
      '    - { name: A, value: "1" }\n    - { name: MODE',
    ],
  ])('%s', async (_, args, from, to) => {
    using folder = new Folder();
    expect(await folder.run(['patch', 'server', 'github', ...args])).toMatchObject({ code: 0, err: '' });
    const merged = GITHUB.replace('replicas: 2', 'replicas: 4')
      .replace('  description: Issues and pull requests.\n', '')
      .replace(/\n\n$/, '\n\n');
    expect(folder.read('servers/github.yaml')).toBe(from === '' ? merged : GITHUB.replace(from, to));
  });

  test('of what a Template is made into, nothing is written but the change', async () => {
    const document = (kind: string, name: string, spec: string): string =>
      `apiVersion: slipway/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n${spec}`;
    const template = document(
      'Template',
      'hello',
      `  params: { greet: { default: Hi }, copies: { type: integer, default: 1 } }
  server:
    command: [node, hello.mjs, "\${greet}"]
    files: [hello.mjs]
    replicas: "\${copies}"
`,
    );
    const made = document('Server', 'tps', '  template: { name: hello, params: { greet: Yo } }\n');
    using folder = new Folder({ 'hello.mjs': '', 'template.yaml': template, 'tps.yaml': made });
    const patch = async (...args: string[]): Promise<string> => {
      expect(await folder.run(['patch', 'server', 'tps', ...args])).toMatchObject({ code: 0, err: '' });
      return folder.read('tps.yaml');
    };
    expect(await patch('metadata.labels.team=core')).not.toMatch(/files|replicas|timeout/);
    expect(await patch('template.params.copies=3')).toContain('params: { greet: Yo, copies: 3 }');
    expect(await patch('-p', '{"spec":{"template":{"params":{"greet":"Ho"}}}}')).toContain('{ greet: Ho, copies: 3 }');
    expect(folder.read('tps.yaml')).not.toMatch(/files|timeout/);
  });

  test('what means the same changes nothing', async () => {
    using folder = new Folder();
    expect((await folder.run(['patch', 'server', 'github', 'timeout=60s', 'replicas=2'])).out).toContain('unchanged');
    expect(folder.all()).toEqual(CONFIG);
  });
});

test('delete takes out one document and leaves the others, or the file', async () => {
  using folder = new Folder();
  expect((await folder.run(['delete', 'project/dev'])).out).toBe('project/dev deleted  projects.yaml');
  expect(folder.read('projects.yaml')).toBe(PROJECTS.slice(PROJECTS.indexOf('# Only')));
  await folder.run(['patch', 'project', 'ops', 'servers=[github]']);
  expect((await folder.run(['delete', 'servers', '-l', 'tier=scratch'])).out).toContain('server/pager deleted');
  expect(existsSync(join(folder.path, 'servers/pager.yaml'))).toBe(false);
  expect((await folder.run(['delete', 'server', 'pager'])).code).toBe(1);
  expect((await folder.run(['delete', 'server', 'pager', '--ignore-not-found'])).code).toBe(0);
  expect((await folder.run(['delete', '-f', 'projects.yaml'])).out).toContain('project/ops deleted');
  expect(Object.keys(folder.all())).toEqual(['servers/github.yaml']);
});

test('what somebody still names is not deleted, and who it is can be found out', async () => {
  using folder = new Folder();
  const { code, err } = await folder.run(['delete', 'server', 'github', '--dry-run']);
  expect(code).toBe(1);
  expect(err).toContain('There is no Server named github.');
  expect(err).toMatch(/\[invalid-config\]\nhint: .*`slipway describe .*`slipway detach`/);
  expect((await folder.run(['delete', 'server/github', 'project/dev', 'project/ops'])).code).toBe(0);
});

test('attach and detach change a project’s list where it stands', async () => {
  using folder = new Folder();
  expect((await folder.run(['attach', 'server', 'pager', '-p', 'dev'])).out).toBe(
    'project/dev attached  projects.yaml',
  );
  expect(folder.read('projects.yaml')).toBe(
    PROJECTS.replace('- github   # everybody\n', '- github   # everybody\n    - pager\n'),
  );
  expect((await folder.run(['attach', 'srv/pager', '-p', 'dev'])).out).toContain('unchanged');
  await folder.run(['detach', 'server', 'pager', '-p', 'ops']);
  expect(folder.read('projects.yaml')).toContain('spec: { servers: [ github ] }');
  expect((await folder.run(['get', 'sa', '--local'])).out).toBe(
    'SERVER   PROJECT\ngithub   dev\npager    dev\ngithub   ops',
  );
});

test.each([
  ['server pager dev'],
  ['pager dev'],
  ['server/pager project/dev'],
  ['srv pager proj dev'],
  ['srv/pager --project dev'],
])('attach %s: the project may be named behind the server', async (words) => {
  using folder = new Folder();
  const run = (verb: string): Promise<Said> => folder.run([verb, ...words.split(' ')]);
  expect(await run('attach')).toEqual({ code: 0, out: 'project/dev attached  projects.yaml', err: '' });
  expect(await run('detach')).toEqual({ code: 0, out: 'project/dev detached  projects.yaml', err: '' });
  expect(folder.all()).toEqual(CONFIG);
});

test.each(['server pager', 'pager', 'server', 'server/pager', 'server a b c d'])(
  'attach %s: which project is not guessed',
  async (words) => {
    using folder = new Folder();
    expect((await folder.run(['attach', ...words.split(' ')])).code).toBe(64);
    expect(folder.all()).toEqual(CONFIG);
  },
);

test('a dry run shows the difference, with secrets masked, and writes nothing', async () => {
  using folder = new Folder();
  const { out } = await folder.run([
    'patch',
    'server',
    'github',
    'replicas=3',
    'env.API_TOKEN.value=other-token',
    '--dry-run',
    '--diff',
  ]);
  expect(out).toBe(`--- a/servers/github.yaml
+++ b/servers/github.yaml
@@ -6,10 +6,10 @@
 metadata: { name: github, labels: { team: core } }   # not core/
 spec:
   # Two for the holidays.
-  replicas: 2  # was 1
+  replicas: 3  # was 1
   command: [node, "server.mjs"]
   env:
     - { name: MODE, value: 'fast' }   # or slow
-    - { name: API_TOKEN, value: *** }
+    - { name: API_TOKEN, value: *** }
 
   description: Issues and pull requests.
server/github patched (dry run)  servers/github.yaml`);
  expect(folder.all()).toEqual(CONFIG);
});
