/** Files that SOPS encrypted for age: each form of them is read, and each way to tamper with one is noticed. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { openSops } from '../../reconciler/secrets/sops/open.ts';
import { decimal, readSops, valuesOf } from '../../reconciler/secrets/sops/read.ts';
import { cli } from '../helpers/cli.ts';
import { resource, server } from '../helpers/config.ts';
import { Rig } from '../helpers/rig.ts';
import { keyFile, type KeyFile } from '../helpers/secrets.ts';
import { dotenv, sopsEncrypt, type Encrypted, type SopsOptions, type Value } from '../helpers/sops.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';

let dir: TempDir;
let own: KeyFile;
let other: KeyFile;
beforeAll(async () => {
  dir = tempDir();
  [own, other] = await Promise.all([keyFile(dir.at('own.key')), keyFile(dir.at('other.key'))]);
});
afterAll(() => dir[Symbol.dispose]());

const TREE = {
  github: { token: 'gh-token', hosts: ['one', { name: 'two' }] },
  port: 8443,
  ratio: 0.25,
  strict: true,
  empty: '',
  nothing: null,
  long: 'line one\nline two',
  'with space': 'ünïcode',
  note_unencrypted: 'for everybody',
  count_unencrypted: 7,
  on_unencrypted: false,
} satisfies Record<string, Value>;

const yaml = ({ tree, sops }: Encrypted): string => stringify({ ...tree, sops });
const json = ({ tree, sops }: Encrypted): string => JSON.stringify({ ...tree, sops }, null, 2);
const encrypted = (tree: Record<string, Value> = TREE, options: Partial<SopsOptions> = {}): Promise<Encrypted> =>
  sopsEncrypt(tree, { recipients: [other.recipient, own.recipient], ...options });
const opened = (text: string, key: string, file = 'x.yaml', identity = own.identity): Promise<string> =>
  openSops({ file, text }, key, [identity]);

describe('is read', () => {
  test.each([
    ['github.token', 'gh-token'],
    ['github.hosts.0', 'one'],
    ['github.hosts.1.name', 'two'],
    ['port', '8443'],
    ['ratio', '0.25'],
    ['strict', 'true'],
    ['empty', ''],
    ['long', 'line one\nline two'],
    ['with space', 'ünïcode'],
    ['note_unencrypted', 'for everybody'],
    ['on_unencrypted', 'false'],
  ])('%s', async (key, value) => {
    const file = await encrypted();
    expect(await opened(yaml(file), key)).toBe(value);
    expect(await opened(json(file), key, 'x.json')).toBe(value);
  });

  test('as dotenv', async () => {
    const text = dotenv(await encrypted({ TOKEN: 'a', PEM: 'one\ntwo', HOST_unencrypted: 'h' }));
    expect(await opened(text, 'PEM', 'x.env')).toBe('one\ntwo');
    expect(Object.keys(valuesOf(readSops('x.env', text)))).toEqual(['TOKEN', 'PEM', 'HOST_unencrypted']);
  });

  test.each<[string, Partial<SopsOptions>]>([
    [
      'encrypted_regex',
      { rule: { encrypted_regex: '^(token|port)$' }, clear: (path) => !path.some((one) => /^(token|port)$/.test(one)) },
    ],
    [
      'encrypted_regex in capitals',
      { rule: { encrypted_regex: '(?i)^TOKEN' }, clear: (path) => !path.includes('token') },
    ],
    ['unencrypted_regex', { rule: { unencrypted_regex: '^port$' }, clear: (path) => path.includes('port') }],
    [
      'encrypted_suffix',
      { rule: { encrypted_suffix: 'ken' }, clear: (path) => !path.some((one) => one.endsWith('ken')) },
    ],
    ['another unencrypted_suffix', { rule: { unencrypted_suffix: 'hub' }, clear: (path) => path.includes('github') }],
    ['a MAC over what is encrypted', { onlyEncrypted: true }],
  ])('with %s', async (_, options) => {
    const file = await encrypted({ github: { token: 'gh-token' }, port: 1, rest_unencrypted: 'x' }, options);
    expect(await opened(yaml(file), 'github.token')).toBe('gh-token');
  });

  test('a date in clear as SOPS counts it, and numbers without exponents', async () => {
    expect([1e21, 1.5e-7, -2e-10, 12.5, 1.25e22].map(decimal)).toEqual([
      '1000000000000000000000',
      '0.00000015',
      '-0.0000000002',
      '12.5',
      '12500000000000000000000',
    ]);
    const day = await encrypted({ a: 'x', day_unencrypted: '2026-11-21T00:00:00Z' });
    expect(await opened(yaml(day).replace('T00:00:00Z\n', '\n'), 'a')).toBe('x');
  });
});

describe('is refused', () => {
  const change = (edit: (text: string, file: Encrypted) => string) => async (): Promise<string> => {
    const file = await encrypted({ a: 'first', b: 'second', c_unencrypted: 'clear' });
    return opened(edit(yaml(file), file), 'a');
  };
  const swapped = (text: string, { tree }: Encrypted): string => {
    const [a, b] = [String(tree['a']), String(tree['b'])];
    return text.replace(a, '@').replace(b, a).replace('@', b);
  };
  test.each<[string, () => Promise<string>, string]>([
    ['a value that was moved', change(swapped), 'the value of a was altered, or moved there from somewhere else'],
    ['a value that was altered', change((text) => text.replace(/(a: ENC\[AES256_GCM,data:)./, '$1/')), 'was altered'],
    ['a value that was taken out', change((text) => text.replace(/^b: .*\n/m, '')), 'its MAC does not fit'],
    ['one that was added in clear', change((text) => `d: by hand\n${text}`), 'the value of d is not encrypted'],
    ['one in clear that was changed', change((text) => text.replace('clear', 'other')), 'its MAC does not fit'],
    ['another time', change((text) => text.replace('08:00:00', '09:00:00')), 'its MAC does not fit'],
    ['no MAC', change((text) => text.replace(/ {2}mac: .*\n/, '')), 'it has no MAC'],
    ['a shorter tag', change((text) => text.replace(/(a: ENC.*tag:)[^,]+/, '$1AAAAAAAA')), 'was altered'],
    ['no SOPS', async () => opened('a: 1\n', 'a'), 'it has no part `sops`'],
    ['no YAML', async () => opened('{', 'a'), 'it cannot be read'],
    [
      'an alias bomb',
      async () =>
        opened(
          `a: &a [${'x,'.repeat(99)}]\nsops:\n  age: &b [${'*a,'.repeat(99)}]\n  mac: [${'*b,'.repeat(99)}]\n`,
          'a',
        ),
      'is an alias',
    ],
    ['thousands of brackets', async () => opened('['.repeat(50_000), 'a'), 'it cannot be read'],
    ['INI', async () => opened('', 'a', 'x.ini'), 'INI files of SOPS are not read'],
    ['several documents', change((text) => `${text}---\na: 1\n`), 'it holds several documents'],
    ['an alias', change((text) => `e: &x 1\nf: *x\n${text}`), 'f is an alias'],
    [
      'no age',
      change((text, { tree }) => stringify({ ...tree, sops: { pgp: [{ enc: text }] } })),
      'it has no age recipient',
    ],
    [
      'key groups',
      change((_, { tree, sops }) => stringify({ ...tree, sops: { ...sops, key_groups: [] } })),
      'key groups',
    ],
    [
      'rules by comments',
      change((_, { tree, sops }) => stringify({ ...tree, sops: { ...sops, encrypted_comment_regex: 'x' } })),
      'encrypted_comment_regex is not read',
    ],
    [
      'two rules',
      change((_, { tree, sops }) =>
        stringify({ ...tree, sops: { ...sops, encrypted_suffix: 'x', encrypted_regex: 'x' } }),
      ),
      'it has both',
    ],
    [
      'a bad pattern',
      change((_, { tree, sops }) => stringify({ ...tree, sops: { ...sops, encrypted_regex: '(' } })),
      'no pattern',
    ],
  ])('%s', async (_, open, why) => {
    const error = await open().then(String, (reason: unknown) => reason as Error);
    expect(error).toMatchObject({ message: expect.stringContaining(why) });
    expect(String(error)).not.toMatch(/first|second/);
  });

  test('somebody else’s key, which is told whose it would take', async () => {
    const stranger = await keyFile(dir.at('stranger.key'));
    await expect(opened(yaml(await encrypted()), 'port', 'x.yaml', stranger.identity)).rejects.toThrow(
      `none of the age keys here opens it: it is for ${other.recipient}, ${own.recipient}`,
    );
  });
});

test('a server gets values of a SOPS file, and starts anew only when its own changes', async () => {
  process.env['SLIPWAY_AGE_KEY_FILE'] = own.path;
  await using rig = await Rig.make();
  const keeper = (name: string, key: string): string =>
    server(name, 'keeper', [], { env: [{ name: 'TOKEN', valueFrom: { secretRef: { name: 'vault', key } } }] });
  const first = await encrypted({ a: 'value-of-a', b: { c: 'value-of-b' } });
  await rig.apply({
    'secrets/vault.enc.yaml': yaml(first),
    'vault.yaml': resource('Secret', 'vault', { sops: { file: 'secrets/vault.enc.yaml' } }),
    'a.yaml': keeper('a', 'a'),
    'b.yaml': keeper('b', 'b.c'),
  });
  const values = () => Promise.all(['a', 'b'].map((name) => rig.call(name, 'env', { name: 'TOKEN' })));
  const pids = () => Promise.all(['a', 'b'].map((name) => rig.call(name, 'pid')));
  expect(await values()).toEqual(['value-of-a', 'value-of-b']);
  const before = await pids();

  // `sops updatekeys`: the same values, the same MAC, the data key for others.
  const [age] = first.sops.age.slice(1);
  await rig.apply({ 'secrets/vault.enc.yaml': yaml({ ...first, sops: { ...first.sops, age: age ? [age] : [] } }) });
  expect(await pids()).toEqual(before);

  // One value is changed: SOPS leaves the others as they were, which a file encrypted anew does not.
  const next = await encrypted({ a: 'value-of-a', b: { c: 'another' } });
  await rig.apply({ 'secrets/vault.enc.yaml': yaml(next) });
  expect(await values()).toEqual(['value-of-a', 'another']);

  // Tampered with: what runs goes on, the one who asks for it is told.
  const bad = yaml(next).replace(/mac: ENC\[AES256_GCM,data:./, 'mac: ENC[AES256_GCM,data:/');
  const spec = { env: [{ name: 'TOKEN', valueFrom: { secretRef: { name: 'vault', key: 'a' } } }] };
  await rig.apply({ 'secrets/vault.enc.yaml': bad, 'c.yaml': server('c', 'keeper', [], spec) });
  expect(await rig.condition('c')).toBe('False=SecretUnavailable');
  expect(await values()).toEqual(['value-of-a', 'another']);
  expect(JSON.stringify(await rig.reconciler.status())).toContain('secrets/vault.enc.yaml: its MAC does not fit');
  delete process.env['SLIPWAY_AGE_KEY_FILE'];
});

test('validate tells what is wrong with a file without a key, and which keys there are', async () => {
  await using rig = await Rig.make();
  const check = async (files: Record<string, string>): Promise<string> => {
    rig.repo.commit(files);
    return (await cli(['validate', '--repo', rig.repo.work], { cwd: rig.repo.work })).err;
  };
  const vault = { 'vault.yaml': resource('Secret', 'vault', { sops: { file: 'v.yaml' } }) };
  expect(await check(vault)).toContain('There is no file v.yaml');
  expect(await check({ 'v.yaml': 'a'.repeat(1024 * 1024 + 1) })).toContain('sops-invalid: v.yaml: it is over 1 MiB.');
  expect(await check({ 'v.yaml': 'a: 1\n' })).toContain('vault.yaml:1:1: sops-invalid: v.yaml: it is no file of SOPS');
  const env = [{ name: 'T', valueFrom: { secretRef: { name: 'vault', key: 'tokken' } } }];
  const said = await check({
    'v.yaml': yaml(await encrypted({ token: 'x' })),
    's.yaml': server('s', 'good', [], { env }),
  });
  expect(said).toContain('Secret vault has no key tokken.');
  expect(said).toContain('Did you mean token?');
  const view = await cli(['secret', 'view', 'vault', 'token', '--reveal'], {
    cwd: rig.repo.work,
    env: { SLIPWAY_AGE_KEY_FILE: own.path },
  });
  expect(view).toMatchObject({ code: 0, out: 'x' });
  expect(readFileSync(`${rig.repo.work}/v.yaml`, 'utf8')).not.toContain('token: x');
});
