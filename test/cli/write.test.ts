/** Commands that change a config repo: what they leave alone, what they refuse, and that nobody's edit is lost. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { splitWords } from '../../cli/argv.ts';
import type { Command } from '../../cli/command.ts';
import { COMMANDS, type Listed } from '../../cli/commands/index.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { takeLock } from '../../cli/write/lock.ts';
import { cli, type Said } from '../helpers/cli.ts';
import { HELLO_PROGRAM } from '../helpers/configs.ts';
import { resource } from '../helpers/config.ts';
import { FIXTURES, readCases } from '../helpers/corpus.ts';
import { gitHttp } from '../helpers/git-http.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Desk } from '../helpers/slipway.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';

const GITHUB = `# yaml-language-server: $schema=../slipway.json
# Who asks for what: the platform team.

apiVersion: slipway/v1
kind: Server
metadata: { name: github, labels: { team: core } }   # not core/
spec:
  # Two for the holidays.
  replicas: 2  # was 1
  command: [node, "server.mjs"]
  env:
    - { name: MODE, value: 'fast' }   # or slow
    - { name: API_TOKEN, value: plain-text-token }

  description: Issues and pull requests.
`;

const PROJECTS = `apiVersion: slipway/v1
kind: Project
metadata: { name: dev }
spec:
  servers:
    - github   # everybody
---
# Only for whoever is on call.
apiVersion: slipway/v1
kind: Project
metadata: { name: ops }
spec: { servers: [ pager, github ] }
`;

const PAGER =
  'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: pager, labels: { tier: scratch } }\nspec: { url: "https://pager.example.com/mcp" }\n';

const CONFIG = { 'servers/github.yaml': GITHUB, 'projects.yaml': PROJECTS, 'servers/pager.yaml': PAGER };

class Folder implements Disposable {
  readonly #dir: TempDir = tempDir();
  readonly path = this.#dir.at('config');

  constructor(files: Readonly<Record<string, string>> = CONFIG) {
    for (const [path, content] of Object.entries(files)) this.write(path, content);
  }

  write(path: string, content: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), content);
  }

  read(path: string): string {
    return readFileSync(join(this.path, path), 'utf8');
  }

  all(): Record<string, string> {
    const files = readdirSync(this.path, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.yaml'),
    );
    return Object.fromEntries(files.sort().map((path) => [path, this.read(path)]));
  }

  run(args: readonly string[], stdin?: string, env: NodeJS.ProcessEnv = {}): Promise<Said> {
    const state = { XDG_STATE_HOME: this.#dir.at('state') };
    return cli(args, { cwd: this.path, env: { ...state, ...env }, ...(stdin === undefined ? {} : { stdin }) });
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

/** A small program in the place of an editor: what it does with the file is JavaScript. */
function editor(folder: Folder, body: string): NodeJS.ProcessEnv {
  const path = join(folder.path, '.editor dir/edit.mjs');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    `import { readFileSync, writeFileSync, existsSync, appendFileSync } from 'node:fs';\nconst file = process.argv.at(-1);\nlet text = readFileSync(file, 'utf8');\n${body}\n`,
  );
  return { EDITOR: `'${process.execPath}' "${path}" --wait`, VISUAL: '' };
}

describe('apply', () => {
  test('changes what is said and leaves the rest of the file as it is', async () => {
    using folder = new Folder();
    const wanted = GITHUB.replace('replicas: 2', 'replicas: 3').replaceAll(/ +#.*$/gm, '');
    expect(await folder.run(['apply', '-f', '-'], wanted)).toEqual({
      code: 0,
      out: 'server/github configured  servers/github.yaml',
      err: '',
    });
    expect(folder.all()).toEqual({ ...CONFIG, 'servers/github.yaml': GITHUB.replace('replicas: 2', 'replicas: 3') });
  });

  test('a new resource gets a file beside its like, with its comments and the line for editors', async () => {
    using folder = new Folder();
    const fetch =
      '# What the web says.\napiVersion: slipway/v1\nkind: Server\nmetadata: { name: fetch } # short\nspec: { url: "https://fetch.example.com/mcp" }\n';
    expect((await folder.run(['apply', '-f', '-'], fetch)).out).toBe('server/fetch created  servers/fetch.yaml');
    expect(folder.read('servers/fetch.yaml')).toBe(`# yaml-language-server: $schema=../slipway.json\n${fetch}`);
    const secret = 'apiVersion: slipway/v1\nkind: Secret\nmetadata: { name: s }\nspec: { data: {} }\n';
    expect((await folder.run(['apply', '-f', '-', '--file', 'projects.yaml'], secret)).out).toContain(
      'created  projects.yaml',
    );
    expect(folder.read('projects.yaml')).toBe(`${PROJECTS}---\n${secret}`);
  });

  test('takes lists under plural keys, JSON, lists of documents and folders', async () => {
    using folder = new Folder();
    const plural =
      'servers:\n  - name: a\n    url: http://a.example.com\n    labels: { team: x }\nprojects:\n  - { name: p, servers: [a] }\n';
    expect((await folder.run(['apply', '-f', '-'], plural)).out.split('\n')).toEqual([
      'server/a created  servers/a.yaml',
      'project/p created  projects/p.yaml',
    ]);
    expect(folder.read('servers/a.yaml')).toContain(
      'metadata:\n  name: a\n  labels: { team: x }\nspec: { url: "http://a.example.com" }\n'.replace(
        '"http://a.example.com"',
        'http://a.example.com',
      ),
    );
    const json = (await folder.run(['get', 'all', '--local', '-o', 'json'])).out;
    expect((await folder.run(['apply', '-f', '-'], json)).out.match(/unchanged/g)).toHaveLength(6);
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: JSON.parse(json) as unknown });
    expect((await folder.run(['apply', '-f', '-'], list)).out.match(/unchanged/g)).toHaveLength(6);
    expect((await folder.run(['apply', '-f', 'servers', '-f', 'projects.yaml'])).out.match(/unchanged/g)).toHaveLength(
      5,
    );
  });

  test.each<[string, string, RegExp]>([
    ['syntax', 'a: [1', /\(stdin\):1:\d+: yaml-syntax/],
    [
      'an unknown field',
      GITHUB.replace('replicas:', 'replica:'),
      /\(stdin\):9:3: unknown-field.*\n.*Did you mean replicas/,
    ],
    ['an unknown kind', 'apiVersion: slipway/v1\nkind: Sever\nmetadata: { name: a }\n', /:2:7: unknown-kind/],
    ['a foreign document', 'apiVersion: apps/v1\nkind: Server\nmetadata: { name: a }\n', /not-a-resource/],
    ['an unknown list', 'sevrers: [{ name: a }]', /unknown-kind: sevrers is neither.*\n.*Did you mean servers/],
    ['a list that is none', 'servers: { name: a }', /wrong-type: servers must be a list/],
    ['an item with a wrong field', 'servers:\n  - { name: a, url: 5 }', /:2:5: wrong-type: spec.url/],
    ['an item without a name', 'servers: [{ url: "http://a" }]', /missing-field/],
    ['an item that is a text', 'servers: [a]', /not-a-resource/],
    ['the same twice', `${PAGER}---\n${PAGER}`, /duplicate-resource: Server\/pager stands at \(stdin\):1, too/],
    [
      'a reference to nothing',
      GITHUB.replace('replicas: 2', 'dependsOn: [nobody]'),
      /servers\/github.yaml:4:1: dangling-reference/,
    ],
    [
      'a mask for a new value',
      GITHUB.replace('github', 'other').replace('plain-text-token', "'***'"),
      /spec\.env\.API_TOKEN\.value is \*\*\*/,
    ],
  ])('refuses %s and changes nothing', async (_, input, message) => {
    using folder = new Folder();
    const { code, out, err } = await folder.run(['apply', '-f', '-'], input);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(message);
    expect(folder.all()).toEqual(CONFIG);
  });

  test.each<[string, readonly string[], number, RegExp]>([
    ['without a file', ['apply'], 64, /with -f/],
    ['a file that is not there', ['apply', '-f', 'nope.yaml'], 1, /path-not-found/],
    ['nothing in the file', ['apply', '-f', '-'], 64, /no resource/],
    ['a place outside', ['apply', '-f', 'servers/pager.yaml', '--file', '../x.yaml'], 0, /^$/],
    ['a URL that does not answer', ['apply', '-f', 'http://127.0.0.1:1/x.yaml'], 1, /source-unreachable/],
    [
      'a branch of a folder without git',
      ['apply', '-f', 'servers/pager.yaml', '--branch', 'x'],
      64,
      /no git repository/,
    ],
    ['a commit in a folder without git', ['apply', '-f', 'servers/pager.yaml', '-m', 'x'], 64, /no git repository/],
    ['create: a name that is none', ['create', 'server', 'A B', '--url', 'http://a'], 1, /invalid-value/],
    [
      'create: a place outside',
      ['create', 'server', 'a', '--url', 'http://a', '--file', '../x.yaml'],
      64,
      /no place for config/,
    ],
    [
      'create: a hidden place',
      ['create', 'server', 'a', '--url', 'http://a', '--file', '.git/x.yaml'],
      64,
      /no place for config/,
    ],
    ['create: what is there', ['create', 'server', 'github', '--url', 'http://a'], 1, /exists/],
    ['create: nothing but a name', ['create', 'server', 'a'], 1, /must have one of/],
    ['create: an unknown kind', ['create', 'sever', 'a'], 1, /Did you mean servers?\?/],
    ['create: an unknown flag', ['create', 'server', 'a', '--replica', '2'], 64, /Did you mean --replicas/],
    [
      'create: a number that is none',
      ['create', 'server', 'a', '--url', 'http://a', '--replicas', 'two'],
      64,
      /takes a number/,
    ],
    [
      'create: a choice that is none',
      ['create', 'server', 'a', '--url', 'http://a', '--transport', 'tcp'],
      1,
      /must be one of stdio, http, sse/,
    ],
    [
      'create: a pair that is none',
      ['create', 'server', 'a', '--url', 'http://a', '--labels', 'x'],
      64,
      /takes key=value/,
    ],
    ['patch: nobody', ['patch', 'server', 'githbu', 'replicas=2'], 1, /Did you mean github/],
    ['patch: no change named', ['patch', 'server', 'github'], 64, /either field=value or -p/],
    ['patch: no assignment', ['patch', 'server', 'github', 'replicas'], 64, /not of the form/],
    ['patch: another name', ['patch', 'server', 'github', 'metadata.name=x'], 64, /must stay Server\/github/],
    ['patch: an unknown field', ['patch', 'server', 'github', 'replica=2'], 1, /Did you mean replicas/],
    ['patch: an item that is not there', ['patch', 'server', 'github', 'env.NOPE.value=2'], 64, /no item NOPE/],
    ['patch: a prototype', ['patch', 'server', 'github', '__proto__.x=2'], 1, /unknown-field/],
    [
      'patch: a test that fails',
      ['patch', 'server', 'github', '--type', 'json', '-p', '[{"op":"test","path":"/spec/replicas","value":9}]'],
      64,
      /operation 0/,
    ],
    [
      'patch: no patch',
      ['patch', 'server', 'github', '--type', 'json', '-p', '{"op":"test"}'],
      64,
      /list of operations/,
    ],
    ['delete: nothing named', ['delete', 'server'], 64, /Name what to delete/],
    ['delete: two ways', ['delete', 'server', 'pager', '-l', 'a=b'], 64, /Name what to delete/],
    ['delete: what is needed', ['delete', 'server', 'pager'], 1, /projects.yaml:\d+:1: dangling-reference/],
    ['delete: a selector that is none', ['delete', 'servers', '-l', 'a in b'], 64, /selects no labels/],
    ['attach: to nothing', ['attach', 'server', 'github'], 64, /--project/],
    ['attach: what cannot be', ['attach', 'project', 'dev', '-p', 'ops'], 64, /cannot be attached/],
    ['attach: nobody', ['attach', 'server', 'nobody', '-p', 'dev'], 1, /There is no Server named nobody/],
    ['edit: nobody', ['edit', 'server', 'nobody'], 1, /not-found/],
  ])('%s', async (_, args, code, message) => {
    using folder = new Folder();
    const result = await folder.run(args, '# nothing\n');
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
    expect(folder.all()).toEqual(CONFIG);
  });

  test('a config that is not valid as a whole is not written to, but can be mended', async () => {
    using folder = new Folder({ ...CONFIG, 'bad.yaml': PAGER.replace('pager', 'bad').replace('url:', 'urll:') });
    expect((await folder.run(['patch', 'server', 'github', 'replicas=3'])).err).toMatch(/bad.yaml:4:9: unknown-field/);
    expect(await folder.run(['patch', 'server', 'bad', 'urll=null', 'url=http://bad.example.com'])).toMatchObject({
      code: 0,
    });
    expect(folder.read('bad.yaml')).toContain('spec: { url: http://bad.example.com }');
  });

  test('links are not followed', async () => {
    using folder = new Folder();
    using outside = tempDir();
    writeFileSync(outside.at('x.yaml'), PAGER.replace('pager', 'x'));
    symlinkSync(outside.path, join(folder.path, 'projects'));
    await folder.run(['create', 'project', 'p']);
    expect(readdirSync(outside.path)).toEqual(['x.yaml']);
  });
});

test(
  'what get prints can be applied and changes nothing, for every kind and every valid config there is',
  { timeout: 120_000 },
  async () => {
    const seen = new Set<string>();
    // What no fixture can be, because it takes in a file that is no YAML.
    const plugin = {
      'plugin.yaml': `${KINDS.Plugin.example}---\n${resource('Policy', 'code', { plugins: ['*'] })}`,
      'plugins/house-rules.ts': 'export const onToolsList = () => {};',
    };
    const taken = Object.entries(plugin).map(([path, text]) => ({ path, content: Buffer.from(text) }));
    for (const { name, files } of [...(await readCases(join(FIXTURES, 'valid'))), { name: 'plugin', files: taken }]) {
      using folder = new Folder(
        Object.fromEntries(files.map(({ path, content }) => [path, Buffer.from(content).toString('utf8')])),
      );
      const before = folder.all();
      for (const format of ['yaml', 'json']) {
        const { out, code, err } = await folder.run(['get', 'all', '--local', '-o', format]);
        if (code !== 0 && /There is no file/.test(err)) continue; // A fixture of one file that names others.
        expect([code, err], name).toEqual([0, '']);
        if (out === '' || out === '[]') continue;
        const applied = await folder.run(['apply', '-f', '-'], out);
        expect(applied, name).toMatchObject({ code: 0, err: '' });
        expect(
          applied.out.split('\n').every((line) => line.includes(' unchanged ')),
          `${name}: ${applied.out}`,
        ).toBe(true);
        for (const [, kind] of applied.out.matchAll(/^(\w+)\//gm)) seen.add(kind ?? '');
      }
      expect(folder.all(), name).toEqual(before);
    }
    for (const kind of Object.values(KINDS) as Kind[]) {
      using folder = new Folder({ 'example.yaml': kind.example });
      const printed = (await folder.run(['get', 'all', '--local', '-o', 'yaml'])).out;
      if (printed === '') continue; // It refers to others.
      expect((await folder.run(['apply', '-f', '-'], printed)).out).toContain('unchanged');
      seen.add(kind.kind.toLowerCase());
    }
    expect([...seen].sort()).toEqual(
      Object.keys(KINDS)
        .map((kind) => kind.toLowerCase())
        .sort(),
    );
  },
);

test('create says everything by flags', async () => {
  using folder = new Folder();
  const args = [
    'create',
    'srv',
    'db',
    '--command',
    'node',
    '--command',
    '--fast',
    '--transport',
    'http',
    '--http.port',
    '8080',
    '--env',
    'A=b=c,d',
    '--env',
    'name=T,valueFrom.secretRef.name=s,valueFrom.secretRef.key=k',
    '--env',
    '{ name: J, value: "{}" }',
    '--labels',
    'team=core',
    '--labels',
    'example.com/x=y',
    '--enabled=false',
    '--validateArguments',
    '--rollout.maxSurge',
    '50%',
    '--isolation.egress.allow',
    'a.example.com:443',
    '--probes.liveness.ping',
    '--probes.readiness.call.tool',
    't',
    '--probes.readiness.call.arguments',
    'n=5',
    '--description',
    'a: b',
  ];
  await folder.run(['create', 'secret', 's', '--data', 'k.env=K', '--data', 'a.b.file=/x']);
  const { out, err } = await folder.run([...args, '-o', 'json']);
  expect(err).toBe('');
  expect(JSON.parse(out)).toEqual([
    {
      apiVersion: 'slipway/v1',
      kind: 'Server',
      metadata: { name: 'db', labels: { team: 'core', 'example.com/x': 'y' } },
      spec: {
        description: 'a: b',
        command: ['node', '--fast'],
        transport: 'http',
        http: { port: 8080 },
        env: [
          { name: 'A', value: 'b=c,d' },
          { name: 'T', valueFrom: { secretRef: { name: 's', key: 'k' } } },
          { name: 'J', value: '{}' },
        ],
        enabled: false,
        validateArguments: true,
        probes: { readiness: { call: { tool: 't', arguments: { n: 5 } } }, liveness: { ping: {} } },
        rollout: { maxSurge: '50%' },
        isolation: { egress: { allow: ['a.example.com:443'] } },
      },
    },
  ]);
  expect(folder.read('secrets/s.yaml')).toBe(
    'apiVersion: slipway/v1\nkind: Secret\nmetadata: { name: s }\nspec:\n  data:\n    k: { env: K }\n    a.b: { file: /x }\n',
  );
  const help = (await folder.run(['create', 'server', '--help'])).out;
  expect(help).toMatch(/--replicas <number> +How many instances to run\. \(default: 1\)/);
  expect(help).toMatch(/--transport <stdio\|http\|sse>/);
});

test('every field that a schema knows is a flag, of every kind', async () => {
  using folder = new Folder();
  for (const kind of Object.values(KINDS) as Kind[]) {
    const { out, code } = await folder.run(['create', kind.kind.toLowerCase(), '--help']);
    expect(code).toBe(0);
    for (const field of Object.keys((kind.spec as unknown as { shape: object }).shape))
      expect(out, `${kind.kind}.${field}`).toMatch(new RegExp(`--(spec\\.)?${field}\\b`));
  }
});

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

describe('edit', () => {
  test('saves what comes back, and only that document changes', async () => {
    using folder = new Folder();
    const env = editor(
      folder,
      "writeFileSync(file, text.replace('servers: [ pager,', 'servers: [ # mine\\n  pager,'));",
    );
    expect(await folder.run(['edit', 'project', 'ops'], '', env)).toEqual({
      code: 0,
      out: 'project/ops edited  projects.yaml',
      err: '',
    });
    expect(folder.read('projects.yaml')).toBe(PROJECTS.replace('[ pager,', '[ # mine\n  pager,'));
  });

  test('a comment of somebody’s own that looks like a note stays', async () => {
    using folder = new Folder({ ...CONFIG, 'servers/pager.yaml': `#! mine\n${PAGER}` });
    const env = editor(folder, "writeFileSync(file, text.replace('pager.example', 'p.example'));");
    expect((await folder.run(['edit', 'server', 'pager'], '', env)).code).toBe(0);
    expect(folder.read('servers/pager.yaml')).toBe(`#! mine\n${PAGER.replace('pager.example', 'p.example')}`);
  });

  test('opens again with what is wrong on top, until it is valid', async () => {
    using folder = new Folder();
    const seen = join(folder.path, '.seen');
    const env = editor(
      folder,
      `appendFileSync('${seen}', text + '=====\\n');\nwriteFileSync(file, text.includes('#! ') ? text.replace('replica:', 'replicas:') : text.replace('replicas: 2', 'replica: 5'));`,
    );
    expect(await folder.run(['edit', 'server/github'], '', env)).toMatchObject({
      code: 0,
      out: 'server/github edited  servers/github.yaml',
    });
    expect(folder.read('servers/github.yaml')).toBe(GITHUB.replace('replicas: 2', 'replicas: 5'));
    const rounds = readFileSync(seen, 'utf8').split('=====\n');
    expect(rounds[0]).toBe(GITHUB);
    expect(rounds[1]).toMatch(
      /^#! It is not valid yet.*\n#! servers\/github.yaml:9:3: unknown-field: .*\n#! +Did you mean replicas\?\n# yaml-language-server/,
    );
  });

  test.each<[string, string, number, RegExp]>([
    ['unchanged', '', 0, /^nothing was changed$/],
    ['emptied', "writeFileSync(file, '');", 0, /^nothing was changed$/],
    [
      'renamed, and given up',
      "if (!text.includes('#! ')) writeFileSync(file, text.replace('name: github', 'name: other'));",
      1,
      /must stay one document.*\n.*\n?nothing was changed; your text is kept in (\S+)/,
    ],
    ['an editor that fails', 'process.exit(3);', 1, /ended with code 3; nothing was changed/],
  ])('%s', async (_, body, code, message) => {
    using folder = new Folder();
    const result = await folder.run(['edit', 'server', 'github'], '', editor(folder, body));
    expect(result.code).toBe(code);
    expect(result.err).toMatch(message);
    const kept = /kept in (\S+)/.exec(result.err)?.[1];
    if (kept) expect(readFileSync(kept, 'utf8')).toContain('name: other');
    expect(folder.read('servers/github.yaml')).toBe(GITHUB);
  });

  test('somebody else’s change meanwhile is not lost, and neither is the text', async () => {
    using folder = new Folder();
    const target = join(folder.path, 'servers/github.yaml');
    const env = editor(
      folder,
      `writeFileSync('${target}', readFileSync('${target}', 'utf8').replace('was 1', 'was 7'));\nwriteFileSync(file, text.replace('replicas: 2', 'replicas: 5'));`,
    );
    const { code, err } = await folder.run(['edit', 'server', 'github'], '', env);
    expect(code).toBe(1);
    expect(err).toMatch(/changed by somebody else/);
    expect(readFileSync(/kept in (\S+)/.exec(err)?.[1] ?? '', 'utf8')).toContain('replicas: 5');
    expect(folder.read('servers/github.yaml')).toBe(GITHUB.replace('was 1', 'was 7'));
  });

  test('the setting is split into words, and no shell sees it', async () => {
    using folder = new Folder();
    const result = await folder.run(['edit', 'server', 'github'], '', {
      EDITOR: 'no-such-editor; touch pwned',
      VISUAL: '',
    });
    expect(result).toMatchObject({ code: 1 });
    expect(result.err).toContain('The editor no-such-editor; cannot be started');
    expect(existsSync(join(folder.path, 'pwned'))).toBe(false);
    expect(splitWords(`a 'b c' "d \\" $(e)" f\\ g ''`)).toEqual(['a', 'b c', 'd " $(e)', 'f g', '']);
    expect(() => splitWords('a "b')).toThrow('left open');
  });
});

test('a lock whose process is gone holds nobody up; one whose process lives is waited for', async () => {
  using dir = tempDir();
  const [path, { signal }] = [dir.at('a.lock'), new AbortController()];
  writeFileSync(path, JSON.stringify({ pid: 2 ** 22 + 1, started: '1' }));
  const order: string[] = [];
  const take = async (name: string): Promise<void> => {
    using lock = await takeLock(path, signal);
    expect(lock).toBeDefined();
    order.push(`${name} in`);
    await new Promise((resolve) => setImmediate(resolve));
    order.push(`${name} out`);
  };
  await Promise.all(['a', 'b', 'c', 'd'].map(take));
  expect(order).toHaveLength(8);
  for (let index = 0; index < 8; index += 2) expect(order[index]?.[0]).toBe(order[index + 1]?.[0]);
  expect(readdirSync(dir.path)).toEqual([]);
});

test('many at once, in processes of their own: no change is lost', { timeout: 120_000 }, async () => {
  await using desk = new Desk();
  desk.push({
    'servers/github.yaml': GITHUB,
    'projects.yaml': 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: dev }\n',
  });
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const results = await Promise.all(
    names.map((name) => desk.slipway(['patch', 'project', 'dev', `metadata.labels.${name}=x`])),
  );
  expect(results.map(({ code, err }) => [code, err])).toEqual(names.map(() => [0, '']));
  const { out } = await desk.slipway(['get', 'project', 'dev', '--local', '-o', 'json']);
  expect((JSON.parse(out) as { metadata: { labels: object } }).metadata.labels).toEqual(
    Object.fromEntries(names.map((name) => [name, 'x'])),
  );
  expect(desk.files(desk.config).filter((name) => name.endsWith('-tmp'))).toEqual([]);
});

describe('a git repo elsewhere', () => {
  test.each(['file', 'http'])('gets a commit over %s, made without a checkout', async (way) => {
    using repo = new TestRepo();
    repo.push({
      'conf/servers/github.yaml': GITHUB,
      'conf/projects.yaml': PROJECTS.replace('pager, ', ''),
      'other.txt': 'x',
      'conf/run.yaml': { executable: PAGER },
    });
    await using served = await gitHttp({ root: repo.root });
    const url = way === 'file' ? repo.url : served.url('config.git');
    const at = ['--repo', url, '--path', 'conf'];
    using folder = new Folder({});
    mkdirSync(folder.path, { recursive: true });
    const env = { GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'ada@example.com' };
    const result = await folder.run(['patch', 'server', 'github', 'replicas=3', ...at, '-m', 'More of it'], '', env);
    expect(result.err).toMatch(/^committed [0-9a-f]{8} to main$/);
    repo.git('fetch', '--quiet');
    expect(repo.git('show', 'origin/main:conf/servers/github.yaml')).toBe(
      GITHUB.replace('replicas: 2', 'replicas: 3').trim(),
    );
    expect(repo.git('diff', '--stat', 'origin/main~1', 'origin/main').split('\n')).toHaveLength(2);
    expect(repo.git('log', '-1', '--format=%s %an', 'origin/main')).toBe('More of it Ada');

    expect((await folder.run(['delete', 'server', 'pager', ...at, '--dry-run'])).code).toBe(0);
    expect((await folder.run(['delete', 'server', 'pager', ...at, '--branch', 'less'])).err).toContain('to less');
    repo.git('fetch', '--quiet');
    expect(repo.git('diff', '--name-status', 'origin/main', 'origin/less')).toBe('D\tconf/run.yaml');
    expect((await folder.run(['delete', 'server', 'pager', ...at, '--branch', 'less'])).err).toContain('[exists]');
    expect((await folder.run(['create', 'project', 'p', ...at, '--branch', '..x'])).err).toContain(
      'no name for a branch',
    );
    expect((await folder.run(['create', 'project', 'p', ...at, '--ref', 'nope'])).err).toContain('[ref-not-found]');
    expect((await folder.run(['create', 'server', 'x', ...at])).code).toBe(1);
    expect(repo.git('ls-remote', '--heads', 'origin').split('\n')).toHaveLength(2);
  });

  test('a race is run again on what the other pushed; nothing is forced', { timeout: 120_000 }, async () => {
    using repo = new TestRepo();
    repo.push({ 'projects.yaml': 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: dev }\n' });
    using folder = new Folder({});
    mkdirSync(folder.path, { recursive: true });
    const names = ['a', 'b', 'c', 'd'];
    const results = await Promise.all(
      names.map((name) => folder.run(['patch', 'project', 'dev', `metadata.labels.${name}=x`, '--repo', repo.url])),
    );
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    repo.git('fetch', '--quiet');
    const text = repo.git('show', 'origin/main:projects.yaml');
    for (const name of names) expect(text).toContain(`${name}: x`);
    expect(repo.git('rev-list', '--count', 'origin/main')).toBe('5');
  });

  test('a hook of the remote that refuses is told, and no retry hides it', async () => {
    using repo = new TestRepo();
    repo.push({ 'projects.yaml': PROJECTS.split('---')[0]?.replace('- github   # everybody', '[]') ?? '' });
    writeFileSync(join(repo.remote, 'hooks/pre-receive'), '#!/bin/sh\necho "not on Fridays" >&2\nexit 1\n');
    chmodSync(join(repo.remote, 'hooks/pre-receive'), 0o755);
    using folder = new Folder({});
    mkdirSync(folder.path, { recursive: true });
    const { code, err } = await folder.run(['create', 'project', 'p', '--repo', repo.url]);
    expect(code).toBe(1);
    expect(err).toMatch(/not on Fridays/);
  });

  test('a working tree commits only what was changed, and only when a message is given', async () => {
    using repo = new TestRepo();
    repo.push(CONFIG);
    writeFileSync(join(repo.work, 'servers/pager.yaml'), `${PAGER}# not yet\n`);
    const env = {
      GIT_AUTHOR_NAME: 'Ada',
      GIT_AUTHOR_EMAIL: 'ada@example.com',
      GIT_COMMITTER_NAME: 'Ada',
      GIT_COMMITTER_EMAIL: 'ada@example.com',
    };
    const said = await cli(['create', 'project', 'p', '--servers', 'github', '-m', 'A project'], {
      cwd: repo.work,
      env,
    });
    expect(said.err).toMatch(/^committed [0-9a-f]{8} to main$/);
    expect(repo.git('show', '--name-only', '--format=%s')).toBe('A project\n\nprojects/p.yaml');
    expect(repo.git('status', '--porcelain')).toBe('M servers/pager.yaml');
    await cli(['patch', 'project', 'p', 'description=x'], { cwd: repo.work });
    expect(repo.git('status', '--porcelain').split('\n')).toHaveLength(2);
    // A hook of the repo has its say; the files stay as they were asked for.
    writeFileSync(join(repo.work, '.git/hooks/pre-commit'), '#!/bin/sh\necho "not on Fridays" >&2\nexit 1\n');
    chmodSync(join(repo.work, '.git/hooks/pre-commit'), 0o755);
    const refused = await cli(['patch', 'project', 'p', 'description=y', '-m', 'x'], { cwd: repo.work });
    expect(refused.err).toMatch(/not on Fridays.*\[commit-failed\]/);
    expect(readFileSync(join(repo.work, 'projects/p.yaml'), 'utf8')).toContain('description: y');
    // A new branch begins at the commit, and leaves the working tree alone.
    const branched = await cli(['delete', 'project', 'p', '--branch', 'without-p'], { cwd: repo.work });
    expect(branched.err).toContain('to without-p');
    expect(repo.git('diff', '--name-status', 'main', 'without-p')).toBe('D\tprojects/p.yaml');
    expect(existsSync(join(repo.work, 'projects/p.yaml'))).toBe(true);
  });
});

describe('the examples of each command’s help', () => {
  const written = ['create', 'apply', 'edit', 'patch', 'delete', 'attach', 'detach', 'get'];

  test.each(written)('%s: each of them works', async (name) => {
    const { command } = (await (COMMANDS[name] as Listed).load()) satisfies { command: Command };
    expect(command.examples?.length).toBeGreaterThan(0);
    using repo = new TestRepo();
    await using served = await gitHttp({ root: repo.root });
    const fetch =
      'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: fetch }\nspec: { url: "https://fetch.example.com/mcp" }\n';
    const web = createServer((_, response) => response.end(fetch.replace('name: fetch', 'name: shared')));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    for (const example of command.examples ?? []) {
      repo.push({
        ...CONFIG,
        'servers/scratch.yaml': PAGER.replace('pager', 'scratch'),
        'projects/scratch.yaml': 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: scratch }\n',
        'ops.txt': '',
      });
      repo.push({ 'projects.yaml': PROJECTS.replace('pager, ', '').replace('ops', 'duty') });
      using folder = new Folder({});
      repo.git('clone', '--quiet', repo.remote, folder.path);
      folder.write('../fetch.yaml', fetch);
      folder.write('../more/x.yaml', fetch.replace('name: fetch', 'name: more'));
      const line = example
        .replace('https://git.example.com/config.git', served.url('config.git'))
        .replace('https://example.com/', `http://127.0.0.1:${(web.address() as AddressInfo).port}/`);
      if (line.startsWith('slipway get ') && !line.includes('--local')) continue; // With a running Slipway: below.
      let piped = '';
      for (const part of line.split(' | ')) {
        const [program, ...args] = splitWords(part);
        expect(program).toBe('slipway');
        const result = await folder.run(args, piped, {
          ...editor(folder, "writeFileSync(file, text + '# edited\\n');"),
          GIT_AUTHOR_NAME: 'A',
          GIT_AUTHOR_EMAIL: 'a@example.com',
        });
        expect([part, result.code, result.err.replace(/committed .*/, '')]).toEqual([part, 0, '']);
        piped = result.out;
      }
    }
    web.close();
  });
});

test('what the README shows works in a repo that init has made', { timeout: 60_000 }, async () => {
  using repo = new TestRepo();
  using folder = new Folder({});
  mkdirSync(folder.path, { recursive: true });
  const identity = {
    GIT_AUTHOR_NAME: 'A',
    GIT_AUTHOR_EMAIL: 'a@example.com',
    GIT_COMMITTER_NAME: 'A',
    GIT_COMMITTER_EMAIL: 'a@example.com',
  };
  await folder.run(['init', '.'], '', identity);
  repo.git('-C', folder.path, 'push', '--quiet', repo.remote, 'HEAD:main');
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const lines = /knows kubectl[^`]*```sh\n([^`]*)```/.exec(readme)?.[1]?.trim().split('\n') ?? [];
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) {
    let piped = '';
    for (const part of line
      .replace(/ +#.*/, '')
      .replace(/git@git\S+/, repo.url)
      .split(' | ')) {
      const { code, out, err } = await folder.run(splitWords(part).slice(1), piped, identity);
      expect([part, code, err.replace(/committed .*/, '')]).toEqual([part, 0, '']);
      piped = out;
    }
  }
  expect(repo.git('-C', folder.path, 'log', '-1', '--format=%s')).toBe('More of it');
  repo.git('fetch', '--quiet');
  expect(repo.git('log', '-1', '--format=%s', 'origin/main')).toBe('patched server/hello');
  expect(repo.git('-C', folder.path, 'show', 'ops:projects/ops.yaml')).toContain('name: ops');
});

test('the real program: piped in, against a running Slipway', { timeout: 120_000 }, async () => {
  await using desk = new Desk();
  desk.push({
    'hello.mjs': HELLO_PROGRAM,
    'servers/github.yaml': GITHUB.replace('"server.mjs"', 'hello.mjs').replace('replicas: 2', 'files: [hello.mjs]'),
    'servers/pager.yaml': PAGER,
    'projects.yaml': PROJECTS,
  });
  await desk.up();
  await desk.sync();
  const get = (...args: string[]) => desk.slipway(['get', ...args, '--state-dir', desk.state]);
  for (const example of (await COMMANDS['get']?.load())?.command.examples ?? []) {
    if (example.includes('--watch')) continue; // It goes on: in read.test.ts.
    const { code, err } = await get(...splitWords(example).slice(2));
    expect([example, code, err.replace('There is none.', '')]).toEqual([example, 0, '']);
  }
  expect((await get('servers', 'git*', '-o', 'wide')).out).toMatch(
    /^NAME +READY +STATE +TOOLS +REASON +AGE +TRANSPORT +RUNS +REV +SOURCE +LABELS\ngithub .* servers\/github.yaml:4 +team=core$/,
  );
  expect((await get('servers', '-l', 'team!=core', '-o', 'name')).out).toBe('server/pager');
  expect((await get('server/pager', 'project/dev', '-o', 'name')).out).toBe('server/pager\nproject/dev');
  expect((await get('srv,proj', 'd*', '-o', 'name')).out).toBe('project/dev');
  expect((await get('server', 'pagre')).err).toContain('There is no Server named pagre. [not-found]');
  const { out } = await get('all', '-o', 'yaml');
  expect(out).not.toContain('plain-text-token');
  const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
  const applied = spawnSync(process.execPath, [main, 'apply', '-f', '-'], {
    cwd: desk.config,
    env: desk.env(),
    input: out,
    encoding: 'utf8',
  });
  expect([applied.status, applied.stderr]).toEqual([0, '']);
  expect(
    applied.stdout
      .trim()
      .split('\n')
      .every((line) => line.includes(' unchanged ')),
  ).toBe(true);
  expect(desk.git(desk.config, 'status', '--porcelain')).toBe('');
});
