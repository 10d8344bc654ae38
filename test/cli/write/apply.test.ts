/** What is applied: what it leaves alone, what it refuses, and that what was printed changes nothing. */
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KINDS } from '../../../schemas/kinds/index.ts';
import type { Kind } from '../../../schemas/kinds/kind.ts';
import { resource } from '../../helpers/config.ts';
import { FIXTURES, readCases } from '../../helpers/corpus.ts';
import { tempDir } from '../../helpers/temp.ts';
import { CONFIG, Folder, GITHUB, PAGER, PROJECTS } from './folder.ts';

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
    ['create: an unknown kind', ['create', 'sever', 'a'], 64, /Did you mean servers?\?/],
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
