/** No value of a secret is anywhere but where it belongs: a real Slipway, each kind of secret, mistakes, and one look at all it wrote. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { cli } from '../helpers/cli.ts';
import { resource, server } from '../helpers/config.ts';
import { keyFile } from '../helpers/secrets.ts';
import { Desk } from '../helpers/slipway.ts';
import { sopsEncrypt } from '../helpers/sops.ts';

/** Long enough to be found by chance nowhere, with characters that URLs, JSON and shells treat in their own ways. */
const SECRETS = {
  env: 'env+value/7Qx"Kp&zL=9',
  file: 'file-value?Vb3#Tn ümlaut',
  age: 'age-value%Rw8\\Yd<>mc',
  sops: 'sops-value:Hj2@Fg;kl',
  asFile: 'pem-line-one-Zt5\npem-line-two-Xs4',
  header: 'header-value-Lp6-Qq1',
  broken: 'broken-value-Nd8-Ww3',
} as const;

/** As people and programs write it. Base64 at each of three offsets, without what depends on its neighbours. */
function forms(value: string): string[] {
  const bytes = Buffer.from(value);
  const shifted = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return text.slice(offset === 0 ? 0 : 4, -4);
  });
  const hex = bytes.toString('hex');
  const lines = value.split('\n');
  const json = JSON.stringify(value).slice(1, -1);
  const encoded = [encodeURIComponent(value), new URLSearchParams({ v: value }).toString().slice(2)];
  return [
    ...lines,
    json,
    ...encoded,
    ...shifted,
    ...shifted.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    hex,
    hex.toUpperCase(),
  ];
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

/** Command lines of all processes of this host, as `ps` shows them. */
function commandLines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        return ''; // It has just ended.
      }
    })
    .join('\n');
}

test('values are in no plan, status, log, record, label, error or file, in no spelling', async () => {
  await using desk = new Desk();
  const [own, stranger] = await Promise.all([
    keyFile(join(desk.home, 'own.key')),
    keyFile(join(desk.home, 'other.key')),
  ]);
  writeFileSync(join(desk.home, 'value'), SECRETS.file);
  const env = { SLIPWAY_AGE_KEY_FILE: own.path, NOWHERE_ENV: SECRETS.env };
  let header = '';
  await using remote = createServer((request, response) => {
    header = String(request.headers['authorization']);
    response.writeHead(401).end(`refused: ${header}`); // A server that repeats what it was told.
  }).listen(0, '127.0.0.1');
  await once(remote, 'listening');

  const ref = (name: string, key: string) => ({ valueFrom: { secretRef: { name, key } } });
  const { tree, sops } = await sopsEncrypt({ token: SECRETS.sops }, { recipients: [own.recipient] });
  desk.write({
    'gateway.yaml': resource('Gateway', 'main', { secrets: { recipients: [own.recipient] }, redact: true }),
    'plain.yaml': resource('Secret', 'plain', {
      data: {
        env: { env: 'NOWHERE_ENV' },
        file: { file: join(desk.home, 'value') },
      },
    }),
    'vault.enc.yaml': stringify({ ...tree, sops }),
    'vault.yaml': resource('Secret', 'vault', { sops: { file: 'vault.enc.yaml' } }),
    'backup.yaml': resource('Backup', 'nightly', {}),
  });
  const said: string[] = [];
  const run = async (args: readonly string[], stdin = ''): Promise<void> => {
    const { out, err } = await cli(args, { cwd: desk.config, stdin, env });
    said.push(`$ slipway ${args.join(' ')}\n${out}\n${err}`);
  };
  await run(['secret', 'encrypt', 'sealed', 'age'], SECRETS.age);
  await run(['secret', 'encrypt', 'sealed', 'pem'], SECRETS.asFile);
  await run(['secret', 'encrypt', 'sealed', 'header'], SECRETS.header);
  await run(['secret', 'encrypt', 'sealed', 'broken', '--diff'], SECRETS.broken);
  await run(['secret', 'encrypt', 'theirs', 'token', '--recipient', stranger.recipient], SECRETS.broken);
  desk.write({
    'remote.yaml': resource('Server', 'remote', {
      url: `http://127.0.0.1:${(remote.address() as AddressInfo).port}/mcp`,
      privateNetwork: true,
      auth: { bearer: ref('sealed', 'header').valueFrom },
    }),
    'loud.yaml': server('loud', 'keeper', [], {
      env: [
        { name: 'A', ...ref('plain', 'env') },
        { name: 'B', ...ref('plain', 'file') },
        { name: 'C', ...ref('sealed', 'age') },
        { name: 'D', ...ref('vault', 'token') },
      ],
      secretFiles: [{ name: 'pem', ...ref('sealed', 'pem') }],
    }),
    'broken.yaml': server('broken', 'crash-at-start', [], { env: [{ name: 'E', ...ref('sealed', 'broken') }] }),
    'wrong.yaml': server('wrong', 'good', [], { env: [{ name: 'E', ...ref('theirs', 'token') }] }),
  });
  await run(['plan', '--repo', '.']);
  desk.push({});

  const up = await desk.up(['--verbose'], env);
  const at = ['--state-dir', desk.state];
  await desk.sync();
  // The right value reaches the server, which then says all of it aloud, in all ways.
  expect(await desk.call('loud', 'env', { name: 'C' })).toMatchObject({ out: expect.stringContaining('age-value') });
  expect(await desk.call('loud', 'file', { name: 'pem' })).toMatchObject({
    out: expect.stringContaining('pem-line-two'),
  });
  for (const name of ['A', 'B', 'C', 'D'] as const) {
    const value = SECRETS[({ A: 'env', B: 'file', C: 'age', D: 'sops' } as const)[name]];
    const bytes = Buffer.from(value);
    for (const text of [value, bytes.toString('base64'), bytes.toString('hex'), encodeURIComponent(value)])
      await run(['call', 'loud', 'say', JSON.stringify({ text: `${name} is ${text}!` }), ...at]);
  }
  said.length = 6; // What somebody asks for on a command line is theirs.
  await run(['call', 'remote', 'anything', '{}', ...at]);
  expect(header).toBe(`Bearer ${SECRETS.header}`);

  // A value that cannot be opened any more, a file that is tampered with.
  desk.push({
    'vault.enc.yaml': stringify({ ...tree, sops: { ...sops, mac: sops.mac.replace(/data:../, 'data:AA') } }),
    'again.yaml': server('again', 'good', [], { env: [{ name: 'T', ...ref('vault', 'token') }] }),
  });
  await desk.sync();
  const reading = [
    ['status'],
    ['status', '-o', 'json'],
    ['events'],
    ['logs', 'loud'],
    ['logs', 'broken'],
    ['top'],
    ['audit', 'query', '-o', 'json'],
    ['get', 'all', '-o', 'yaml'],
    ['get', 'servers', '-o', 'wide'],
    ['get', 'secrets', '-o', 'json'],
    ['get', 'instances', '-o', 'json'],
    ...['loud', 'broken', 'wrong', 'again', 'remote'].map((name) => ['describe', 'server', name]),
    ['describe', 'secret', 'sealed'],
    ['describe', 'secret', 'vault'],
    ['explain', 'server/wrong'],
    ['explain', 'server/again'],
    ['backup', 'now'],
  ];
  for (const args of reading) await run([...args, ...at]);
  for (const args of [
    ['plan', '-o', 'json'],
    ['plan', '-o', 'markdown'],
    ['validate'],
    ['diff', 'HEAD~1', 'HEAD'],
    ['secret', 'view', 'sealed'],
    ['secret', 'rotate', 'sealed', '--diff'],
  ])
    await run(args);
  const metrics = await fetch(`${await up.serving}/metrics`);
  said.push(await metrics.text(), up.log, commandLines());
  const all = said.join('\n');
  expect(all).toContain('Secret theirs, key token: it is encrypted for other age keys');
  expect(all).toContain('vault.enc.yaml: its MAC does not fit');
  expect(all).toMatch(/A is \*\*\*!/);

  const places = new Map([['what was said', Buffer.from(all)]]);
  for (const path of filesIn(desk.state)) places.set(path, readFileSync(path));
  await up.stop();
  places.set('the log', Buffer.from(up.log));
  for (const path of filesIn(desk.state)) places.set(`${path} in the end`, readFileSync(path));
  places.set('the audit branch', Buffer.from(desk.git(desk.remote, 'log', '-p', 'slipway/audit')));
  places.set('the backups', Buffer.from(desk.git(desk.remote, 'log', '-p', 'slipway/backup')));
  places.set('the config', Buffer.from(desk.git(desk.config, 'log', '-p')));
  const found = [...places].flatMap(([place, content]) =>
    Object.entries(SECRETS).flatMap(([name, value]) =>
      forms(value).flatMap((form) => (content.includes(form) ? [`${name} as ${form} in ${place}`] : [])),
    ),
  );
  expect(found).toEqual([]);
  expect(readdirSync('/dev/shm').filter((name) => name.endsWith('-process'))).toEqual([]);
  // The search finds what is there.
  for (const value of Object.values(SECRETS))
    for (const form of forms(value))
      expect(Buffer.from(`..${form}..`).includes(form) && form.length > 6, form).toBe(true);
}, 120_000);
