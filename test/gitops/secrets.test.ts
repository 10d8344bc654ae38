/** Secrets in git: encrypted by the command line, opened for the one server that is meant, and for nobody else. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open, seal } from '../../reconciler/secrets/age.ts';
import { ProcessSecrets, removeOthers } from '../../reconciler/drivers/process/secrets.ts';
import { refreshSecretFiles } from '../../reconciler/secrets/files.ts';
import { remembering } from '../../reconciler/secrets/secrets.ts';
import type { SealedValue } from '../../schemas/kinds/fields/sealed.ts';
import { cli, type Said } from '../helpers/cli.ts';
import { resource, server } from '../helpers/config.ts';
import { writeFiles } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { keyFile, openPlain, type KeyFile } from '../helpers/secrets.ts';
import { Desk } from '../helpers/slipway.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';
import { Terminal } from '../helpers/terminal.ts';

let dir: TempDir;
let rig: Rig;
let team: KeyFile;
let other: KeyFile;

beforeAll(async () => {
  dir = tempDir();
  [team, other] = await Promise.all([keyFile(dir.at('team.key')), keyFile(dir.at('other.key'))]);
  process.env['SLIPWAY_AGE_KEY_FILE'] = team.path;
  rig = await Rig.make();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
  delete process.env['SLIPWAY_AGE_KEY_FILE'];
});

const secret = (words: readonly string[], stdin = '', env: NodeJS.ProcessEnv = {}): Promise<Said> =>
  cli(['secret', ...words], { cwd: rig.repo.work, stdin, env });

/** Commits what the command line wrote, pushes it, and looks at the source. */
const push = (files: Parameters<Rig['apply']>[0] = {}, options: { retry?: boolean } = {}): Promise<string> =>
  rig.apply(files, options);

const gateway = (...recipients: string[]): string => resource('Gateway', 'main', { secrets: { recipients } });
const keeper = (name: string, key: string): string =>
  server(name, 'keeper', [], {
    env: [{ name: 'TOKEN', valueFrom: { secretRef: { name: 'keys', key } } }],
    rollout: { monitor: '0s' }, // What may be needed again is kept.
  });
const pid = (name: string): Promise<string> => rig.call(name, 'pid');
const value = (name: string): Promise<string> => rig.call(name, 'env', { name: 'TOKEN' });
const written = (): string => readFileSync(`${rig.repo.work}/secrets/keys.yaml`, 'utf8');

test('a value is encrypted without a key, lies in git unreadable, and is there for the server that refers to it', async () => {
  await push({ 'gateway.yaml': gateway(team.recipient) });
  const said = await secret(['encrypt', 'keys', 'alpha'], 'value-of-alpha\n', { SLIPWAY_AGE_KEY_FILE: '/nowhere' });
  expect(said).toMatchObject({ code: 0, out: expect.stringContaining('secret/keys encrypted') });
  await secret(['encrypt', 'keys', 'beta'], 'value-of-beta');
  expect(written()).not.toContain('value-of');
  await push({ 'a.yaml': keeper('a', 'alpha'), 'b.yaml': keeper('b', 'beta') });
  expect([await value('a'), await value('b')]).toEqual(['value-of-alpha', 'value-of-beta']);
});

test('the plan of a new value names the servers that use it and no other, and opens nothing', async () => {
  const before = [await pid('a'), await pid('b')];
  await secret(['encrypt', 'keys', 'beta'], 'another-beta');
  const planned = await cli(['plan', '--repo', rig.repo.work], {
    cwd: rig.repo.work,
    env: { SLIPWAY_AGE_KEY_FILE: '/nowhere' },
  });
  expect(planned.out).not.toContain('another-beta');
  await push();
  expect([await pid('a'), await value('a')]).toEqual([before[0], 'value-of-alpha']);
  expect([(await pid('b')) === before[1], await value('b')]).toEqual([false, 'another-beta']);
});

test('recipients change, the old key is gone: nothing restarts, and what starts afterwards has its value', async () => {
  const before = [await pid('a'), await pid('b')];
  const text = written();
  const published = JSON.stringify(rig.snapshot.servers);
  await rig.repo.commit({ 'gateway.yaml': gateway(other.recipient) });
  const said = await secret(['rotate']);
  expect(said).toMatchObject({ code: 0, err: expect.stringContaining(`encrypted for ${other.recipient}`) });
  expect(written()).not.toBe(text);
  expect(written().match(/fingerprint: .*/g)).toEqual(text.match(/fingerprint: .*/g));
  process.env['SLIPWAY_AGE_KEY_FILE'] = other.path;
  await push();
  expect([await pid('a'), await pid('b')]).toEqual(before);
  expect(JSON.stringify(rig.snapshot.servers)).toBe(published); // Nor does the gateway connect anew.
  expect(await rig.overall()).toBe('True=Succeeded');
  // Killed, it comes back with what the state directory has now.
  process.kill(Number(before[0]), 'SIGKILL');
  await expect.poll(() => value('a').catch(() => ''), { timeout: 30_000 }).toBe('value-of-alpha');
  await secret(['rotate', '--recipient', team.recipient, '--recipient', other.recipient]);
  expect(written()).toContain(`recipients:`);
  await push();
});

test('without the key only those who need it fail, and say why; with it they come', async () => {
  process.env['SLIPWAY_AGE_KEY_FILE'] = dir.at('nothing.key');
  await secret(['encrypt', 'keys', 'gamma'], 'value-of-gamma');
  await push({ 'c.yaml': keeper('c', 'gamma'), 'd.yaml': server('d', 'good', ['v1']) });
  expect([await rig.condition('c'), await rig.condition('d')]).toEqual(['False=SecretUnavailable', 'True=Succeeded']);
  expect(await value('a')).toBe('value-of-alpha');
  const told = JSON.stringify(await rig.reconciler.status());
  expect(told).toContain(`Secret keys, key gamma: the age key file ${dir.at('nothing.key')} does not exist.`);

  const wrong = await keyFile(dir.at('wrong.key'));
  process.env['SLIPWAY_AGE_KEY_FILE'] = wrong.path;
  await push({}, { retry: true });
  expect(JSON.stringify(await rig.reconciler.status())).toContain('it is encrypted for other age keys');

  process.env['SLIPWAY_AGE_KEY_FILE'] = team.path;
  chmodSync(team.path, 0o644);
  await push({}, { retry: true });
  expect(JSON.stringify(await rig.reconciler.status())).toContain(`${team.path} can be read by others`);

  chmodSync(team.path, 0o600);
  await push({}, { retry: true });
  expect([await rig.condition('c'), await value('c')]).toEqual(['True=Succeeded', 'value-of-gamma']);
  expect(rig.logs.join('\n') + told).not.toMatch(/value-of|AGE-SECRET/);
});

describe('a key that is none', () => {
  test.each([
    ['ssh-ed25519 AAAA secret-looking', 'is no age identity'],
    ['-----BEGIN AGE ENCRYPTED FILE-----', 'is encrypted itself'],
    ['', 'no age key is in what should hold one'],
  ])('%j', async (text, why) => {
    const said = await secret(['view', 'keys', 'alpha', '--reveal'], '', {
      SLIPWAY_AGE_KEY: text,
      SLIPWAY_AGE_KEY_FILE: '',
      XDG_CONFIG_HOME: dir.at('empty'),
    });
    expect(said).toMatchObject({ code: 1, out: '', err: expect.stringContaining(why) });
    expect(said.err).not.toContain('secret-looking');
  });

  test('from the environment itself, it is as good as from a file', async () => {
    const env = { SLIPWAY_AGE_KEY: `\n${other.identity}\n`, SLIPWAY_AGE_KEY_FILE: '' };
    expect(await secret(['view', 'keys', 'alpha', '--reveal'], '', env)).toMatchObject({
      code: 0,
      out: 'value-of-alpha',
    });
  });
});

describe('a value that is pasted elsewhere', () => {
  const sealed = (name: string, key: string, text = 'mine'): Promise<SealedValue> =>
    seal({ secret: name, key }, text, [team.recipient]);
  const issues = async (spec: object): Promise<string> => {
    const folder = tempDir();
    try {
      writeFiles(folder.path, { 'keys.yaml': resource('Secret', 'keys', { ...spec }) });
      return (await cli(['validate', '--repo', folder.path], { cwd: folder.path })).err;
    } finally {
      folder[Symbol.dispose]();
    }
  };

  test('is refused where everybody sees it, under another key and another name', async () => {
    expect(await issues({ encrypted: { b: await sealed('keys', 'a') } })).toContain(
      'secret-misplaced: The encrypted value is of Secret keys, key a, and cannot be used here.',
    );
    expect(await issues({ encrypted: { a: await sealed('others', 'a') } })).toContain('of Secret others, key a');
    expect(await issues({ encrypted: { a: await sealed('keys', 'a') }, data: { a: { env: 'A' } } })).toContain(
      'a is in data, too.',
    );
    expect(await issues({ encrypted: { a: await sealed('keys', 'a') } })).toBe('');
  });

  test('is refused by whoever opens it, whatever its header says', async () => {
    const theirs = await sealed('others', 'a');
    const place = { secret: 'keys', key: 'a' };
    await expect(open(theirs, place, [team.identity])).rejects.toThrow(
      'the encrypted value is of Secret others, key a',
    );
    // The header can be rewritten by anybody, but not so that its MAC fits.
    const forged = Buffer.from(theirs.age, 'base64').toString('latin1').replace('Secret others a', 'Secret keys a');
    const age = Buffer.from(forged, 'latin1').toString('base64');
    await expect(open({ ...theirs, age }, place, [team.identity])).rejects.toThrow('the encrypted value is damaged');
    const mine = await sealed('keys', 'a');
    const { fingerprint } = await sealed('keys', 'a', 'other');
    await expect(open({ ...mine, fingerprint }, place, [team.identity])).rejects.toThrow('its fingerprint is not that');
  });

  test('the same value has another fingerprint each time: nobody can try out what it may be', async () => {
    const [one, two] = await Promise.all([sealed('keys', 'a'), sealed('keys', 'a')]);
    expect(one?.fingerprint).not.toBe(two?.fingerprint);
    const opened = await open(one as SealedValue, { secret: 'keys', key: 'a' }, [team.identity]);
    expect(opened.value).toBe('mine');
    const again = await seal({ secret: 'keys', key: 'a' }, opened.value, [other.recipient], opened.pepper);
    expect(again.fingerprint).toBe(one?.fingerprint);
  });
});

test('as files, secrets are in memory, of this user alone, and go with the server', async () => {
  const files = [{ name: 'pem', valueFrom: { secretRef: { name: 'keys', key: 'alpha' } } }];
  await push({ 'f.yaml': server('f', 'keeper', [], { secretFiles: files }) });
  const seen = JSON.parse(await rig.call('f', 'file', { name: 'pem' })) as { path: string; text: string; mode: number };
  expect(seen).toMatchObject({ text: 'value-of-alpha', mode: 0o444 });
  expect(seen.path).toMatch(/^\/dev\/shm\/slipway-[0-9a-f]{8}-process\/slipway-f-/);
  expect(statSync(dirname(dirname(seen.path))).mode & 0o777).toBe(0o700);
  await push({ 'f.yaml': null });
  expect(existsSync(seen.path)).toBe(false);
});

test('files that a crash left go with the next start, or with whoever prunes', async () => {
  const { owner } = rig.state;
  const one = [{ name: 'x', secret: { secret: 'keys', key: 'x', from: { file: team.path } } }];
  const leave = (by: string): Promise<{ path: string }> =>
    refreshSecretFiles(`${by.slice(0, 8)}-process`, 'slipway-gone-1', one, openPlain);
  const stranger = randomBytes(4).toString('hex');
  const [own, others] = [await leave(owner), await leave(stranger)];
  await new ProcessSecrets(rig.state).sweep();
  expect([existsSync(own.path), existsSync(others.path)]).toEqual([false, true]);
  await removeOthers([`../slipway-gone-1@${stranger}`, `slipway-gone-1@${stranger}`, 'slipway-gone-1']);
  expect(existsSync(dirname(others.path))).toBe(false);
});

test('old values are forgotten, and what is kept is as unreadable as in git', async () => {
  const kept = readdirSync(rig.state.paths.sealed);
  expect(kept).toHaveLength(3);
  expect(kept.map((name) => readFileSync(`${rig.state.paths.sealed}/${name}`, 'utf8')).join('')).not.toContain(
    'value-of',
  );
});

test('the command line: keys, masks, editors, mistakes', async () => {
  const home = { XDG_CONFIG_HOME: dir.at('home'), SLIPWAY_AGE_KEY_FILE: '' };
  const made = await secret(['keygen'], '', home);
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^age1[0-9a-z]+$/) });
  expect(made.err).not.toContain('AGE-SECRET');
  expect(statSync(dir.at('home/slipway/age.key')).mode & 0o777).toBe(0o600);
  expect(await secret(['keygen'], '', home)).toMatchObject({
    code: 1,
    err: expect.stringContaining('is there already'),
  });

  const shown = await secret(['view', 'keys']);
  expect(shown.out).toMatch(/^KEY +FROM +VALUE\nalpha +encrypted +\*\*\*\n/);
  expect(shown.out).not.toContain('value-of');
  expect((await secret(['view', 'keys', 'alpha', '--reveal', '-o', 'json'])).out).toContain('value-of-alpha');

  // The editor sees a file in memory, and what it saves is encrypted.
  const editor = `${process.execPath} ${dir.at('editor.mjs')}`;
  writeFiles(dir.path, {
    'editor.mjs': `import { readFileSync, writeFileSync } from 'node:fs';
const [path] = process.argv.slice(2);
writeFileSync(${JSON.stringify(dir.at('seen'))}, path + ' ' + readFileSync(path, 'utf8'));
writeFileSync(path, 'edited-value\\n');`,
  });
  expect(await secret(['edit', 'keys', 'alpha'], '', { EDITOR: editor, VISUAL: '' })).toMatchObject({ code: 0 });
  const [path = '', text] = readFileSync(dir.at('seen'), 'utf8').split(' ');
  expect([path.startsWith('/dev/shm/'), text, existsSync(path)]).toEqual([true, 'value-of-alpha', false]);
  expect((await secret(['view', 'keys', 'alpha', '--reveal'])).out).toBe('edited-value');
  expect(written()).not.toContain('edited-value');

  const wrong = async (...words: string[]): Promise<string> => (await secret(words)).err;
  expect(await wrong('encrypt', 'keys', 'empty')).toContain('There is no value');
  expect(await wrong('encrypt', 'keys', 'a/b')).toContain('a/b is no key');
  expect(await wrong('encrypt', 'keys', 'x', '--recipient', 'age1nobody')).toContain('age1nobody is no age recipient');
  expect(await wrong('view', 'key')).toContain('Did you mean keys?');
  expect(await wrong('rotate', 'keys', 'omega')).toContain('has no encrypted value omega');
  expect(await wrong('destroy')).toContain('There is no `secret destroy`');
});

test('a value that is needed with each request is decrypted once a minute, and a failure is not remembered', async () => {
  let times = 0;
  const use = { secret: 'keys', key: 'a', from: { sealed: 'x' } };
  const opener = remembering(async () => {
    if (++times === 1) throw new Error('no key yet');
    return `value ${times}`;
  });
  await expect(opener(use)).rejects.toThrow('no key yet');
  expect([await opener(use), await opener(use), times]).toEqual(['value 2', 'value 2', 2]);
  expect(await opener({ ...use, from: { sealed: 'y' } })).toBe('value 3');
  expect([await opener({ ...use, from: { env: 'X' } }), await opener({ ...use, from: { env: 'X' } })]).toEqual([
    'value 4',
    'value 5',
  ]);
});

test('on a terminal, a value is asked for and not shown while it is typed', async () => {
  await using desk = new Desk();
  const command = `slipway secret encrypt asked token --recipient ${team.recipient}`;
  await using terminal = new Terminal(command, { cwd: desk.config, env: { ...desk.env(), PATH: desk.path() } });
  await terminal.type('', 'Value of asked, key token: ');
  const shown = await terminal.type('typed-in-the-dark\r', 'secret/asked encrypted');
  expect(shown).not.toContain('dark');
  const env = { SLIPWAY_AGE_KEY_FILE: team.path };
  const said = await desk.slipway(['secret', 'view', 'asked', 'token', '--reveal'], { env });
  expect(said).toMatchObject({ code: 0, out: 'typed-in-the-dark' });
});
