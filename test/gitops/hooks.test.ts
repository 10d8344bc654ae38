/** `POST /hooks/git`: a push is applied at once, and each guard of the door holds against the attack that it names. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HookDoor, type HookDoorOptions } from '../../reconciler/review/hook-door.ts';
import { secretOpener } from '../../reconciler/secrets/secrets.ts';
import { repositoryIn } from '../../reconciler/review/settings.ts';
import type { SlipwayError } from '../../schemas/errors.ts';
import { raw, type Raw } from '../gateway/helpers/gateway.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { Rig } from '../helpers/rig.ts';
import { DELIVERIES, genericPush, SECRET, standard, type Delivery } from './helpers/deliveries.ts';

const PATH = 'unguessable-8c11';
const ENV = { HOOK: SECRET, HOOK_PATH: PATH, EMPTY: '' };
let opened = 0;
const open = secretOpener({ sealed: '', blobs: '' }, ENV);
const secrets: HookDoorOptions['secrets'] = (use) => (opened++, open(use));
const from = (name: string, key: string) => ({ secretRef: { name, key } });

const FILES = {
  'secret.yaml': resource('Secret', 'forge', {
    data: { hook: { env: 'HOOK' }, path: { env: 'HOOK_PATH' }, empty: { env: 'EMPTY' }, gone: { env: 'GONE' } },
  }),
};
const gateway = (forge: string, webhook: Record<string, unknown> = {}): string =>
  resource('Gateway', 'main', {
    review: { forge, repository: 'acme/mcp', webhook: { secret: from('forge', 'hook'), ...webhook } },
  });

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.make({ gateway: true, reviews: { secrets } });
  await rig.apply({ ...FILES, 'gw.yaml': gateway('github') });
});
afterAll(() => rig[Symbol.asyncDispose]());

const deliver = ({ headers, body }: Delivery, path = ''): Promise<Raw> =>
  raw(rig.url, { method: 'POST', path: `/hooks/git${path}`, headers, body });
const use = (forge: string, webhook?: Record<string, unknown>): Promise<string> =>
  rig.apply({ 'gw.yaml': gateway(forge, webhook) });
const answered = async (delivery: Delivery, path?: string): Promise<[number, unknown]> => {
  const { status, json } = await deliver(delivery, path);
  const said = json as { accepted?: string; ignored?: string; error_code?: string };
  return [status, said.accepted ?? said.ignored ?? said.error_code];
};
const LOOKED = [202, 'the config is looked at'];

const FORGES = [
  ['github', 'github'],
  ['gitlab', 'gitlab'],
  ['gitlab, signed', 'gitlab'],
  ['gitea', 'gitea'],
  ['forgejo', 'gitea'],
] as const;

describe.each(FORGES)('%s', (name, forge) => {
  const { push, request } = DELIVERIES[name];

  test('a push is applied without waiting for the next look', async () => {
    await use(forge);
    const id = rig.repo.push({ 'a.yaml': memoryServer('a', name) });
    expect(await answered(push())).toEqual(LOOKED);
    await rig.untilStatus(() => rig.statuses.at(-1)?.lastApplied?.id === id);
    expect(rig.statuses.at(-1)?.review).toMatchObject({ forge, lastHook: { outcome: 'the config is looked at' } });
  });

  test('forged, altered and repeated deliveries are not heard', async () => {
    await use(forge);
    const genuine = push();
    const signature = Object.keys(genuine.headers).find((header) => /signature|token/.test(header)) ?? '';
    const without = Object.fromEntries(Object.entries(genuine.headers).filter(([header]) => header !== signature));
    const wrong = { ...genuine.headers, [signature]: (genuine.headers[signature] ?? '').replace(/.$/, '') };
    const flipped = { ...genuine.headers, [signature]: `${(genuine.headers[signature] ?? '').slice(0, -3)}___` };
    for (const headers of [without, wrong, flipped, { ...genuine.headers, [signature]: '' }])
      expect(await answered({ ...genuine, headers })).toEqual([401, 'unauthorized']);
    const altered = { ...genuine, body: genuine.body.replace('main', 'evil') };
    // A token says who sent it, and nothing of what was sent.
    if (signature !== 'x-gitlab-token') expect(await answered(altered)).toEqual([401, 'unauthorized']);
    expect(await answered(genuine)).toEqual(LOOKED);
    const again = [200, 'this delivery came before'];
    expect(await answered(genuine)).toEqual(again);
    // No forge signs its id of the delivery: another one makes it no other delivery.
    const renamed = ['x-github-delivery', 'idempotency-key', 'x-gitea-delivery'].map((header) => [header, 'other']);
    if (!('webhook-id' in genuine.headers))
      expect(await answered({ ...genuine, headers: { ...genuine.headers, ...Object.fromEntries(renamed) } })).toEqual(
        again,
      );
    // Nor does the same id with another body.
    const [idHeader = ''] = Object.keys(genuine.headers).filter((header) => /delivery|key/.test(header));
    if (idHeader !== '') {
      const other = push();
      const headers = { ...other.headers, [idHeader]: genuine.headers[idHeader] ?? '' };
      expect(await answered({ ...other, headers })).toEqual(again);
    }
    expect(rig.reviews?.status()?.lastRefused?.reason).toBe('The delivery is not signed as it should be.');
  });

  test('what concerns something else starts nothing', async () => {
    await use(forge);
    for (const ref of ['refs/heads/slipway/audit', 'refs/heads/slipway/proposals/4'])
      expect(await answered(push({ ref }))).toEqual([202, 'nothing to do: it is Slipway’s own branch']);
    expect(await answered(push({ ref: 'refs/heads/feature' }))).toEqual([
      202,
      'nothing to do: nobody follows this ref',
    ]);
    expect(await answered(push({ repository: 'evil/mcp' }))).toEqual([
      202,
      'nothing to do: it is about another repository',
    ]);
    expect(await answered(request({ into: 'release' }))).toEqual([
      202,
      'nothing to do: it goes into a branch that nobody follows',
    ]);
    expect(await answered(request({ action: 'labeled' }))).toEqual([200, 'nothing here follows such events']);
    expect(rig.reviews?.status()?.requests).toEqual([]);
  });
});

test('generic: whatever can sign, with a time, and not too long ago', async () => {
  await use('generic', { window: '1m' });
  const now = Math.floor(Date.now() / 1000);
  expect(await answered(genericPush())).toEqual(LOOKED);
  expect(await answered(genericPush('refs/heads/main', now - 50))).toEqual(LOOKED);
  for (const at of [now - 120, now + 120, 0])
    expect(await answered(genericPush('refs/heads/main', at))).toEqual([401, 'unauthorized']);
  const { body, headers } = genericPush();
  // The time is signed, too.
  expect(await answered({ body, headers: { ...headers, 'webhook-timestamp': String(now - 1) } })).toEqual([
    401,
    'unauthorized',
  ]);
  // Secrets are exchanged while both are good: one of several signatures is enough.
  const two = { ...headers, 'webhook-signature': `v1,AAAA ${headers['webhook-signature']}` };
  expect(await answered({ body, headers: two })).toEqual(LOOKED);
  expect(await answered({ body: '{}', headers: standard('{}') })).toEqual([400, 'bad-request']);
  expect(await answered({ body: 'ref=main', headers: standard('ref=main') })).toEqual([400, 'bad-request']);
});

test('a secret of Standard Webhooks is base64 behind its prefix', async () => {
  const secret = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`;
  const door = new HookDoor({
    settings: () => ({
      forge: 'generic',
      webhook: { secret: { secret: 's', key: 'k', from: { env: 'X' } }, maxBodyBytes: 999, windowMs: 60_000 },
    }),
    secrets: async () => secret,
    onEvent: () => 'heard',
    onKnock: () => {},
  });
  const body = '{"ref":"refs/heads/main"}';
  const send = (headers: Record<string, string>) =>
    door.answer({ path: '', headers, body: async () => Buffer.from(body) });
  await expect(send(standard(body, secret))).resolves.toEqual({ status: 202, body: { accepted: 'heard' } });
  await expect(send(standard(body, secret.slice(6)))).rejects.toThrow('not signed');
});

test('an unguessable path hides the door, and is in no log', async () => {
  await use('github', { path: from('forge', 'path') });
  const { push } = DELIVERIES.github;
  for (const path of ['', '/', '/guess', `/${PATH}/`, `/${PATH}x`]) expect((await answered(push(), path))[0]).toBe(404);
  expect(await answered(push(), `/${PATH}`)).toEqual(LOOKED);
  expect(await answered({ ...push(), headers: { 'x-hub-signature-256': 'sha256=00' } }, `/${PATH}`)).toEqual([
    401,
    'unauthorized',
  ]);
  expect(rig.logs.join()).not.toMatch(new RegExp(`${PATH}|${SECRET}`));
  expect(JSON.stringify(rig.statuses)).not.toMatch(new RegExp(`${PATH}|${SECRET}`));
});

test('a secret that is empty or not there lets nobody in', async () => {
  const { push } = DELIVERIES.gitlab;
  for (const key of ['empty', 'gone']) {
    await use('gitlab', { secret: from('forge', key) });
    for (const token of ['', 'undefined', SECRET])
      expect(await answered({ ...push(), headers: { ...push().headers, 'x-gitlab-token': token } })).toEqual([
        502,
        'secret-unavailable',
      ]);
    expect(rig.reviews?.status()?.lastRefused?.reason).toContain(`Secret forge, key ${key}`);
    // What it is called is nobody's business who is not let in.
    expect((await deliver(push())).text).not.toMatch(/forge|GONE|EMPTY/);
  }
});

test('what is too large, of another method, or comes where nothing is configured is refused', async () => {
  await use('github', { maxBodySize: '1Ki' });
  const big = { ...DELIVERIES.github.push(), body: ' '.repeat(2000) };
  expect(await answered(big)).toEqual([413, 'body-too-large']);
  expect((await raw(rig.url, { method: 'GET', path: '/hooks/git' })).status).toBe(405);
  // Web pages cannot knock.
  const page = { ...DELIVERIES.github.push().headers, origin: 'https://evil.example' };
  expect((await raw(rig.url, { method: 'POST', path: '/hooks/git', headers: page, body: '{}' })).status).toBe(403);
  await rig.apply({ 'gw.yaml': resource('Gateway', 'main', { review: { forge: 'github' } }) });
  expect((await answered(DELIVERIES.github.push()))[0]).toBe(404);
  await rig.apply({ 'gw.yaml': resource('Gateway', 'main', {}) });
  expect((await answered(DELIVERIES.github.push()))[0]).toBe(404);
  expect(rig.statuses.at(-1)).not.toHaveProperty('review');
});

test('floods: guesses of one address are bounded, and so are bodies that are read at a time', async () => {
  await rig.apply({
    'gw.yaml': resource('Gateway', 'main', {
      review: { forge: 'github', webhook: { secret: from('forge', 'hook') } },
      limits: { perAddress: { failures: { perSecond: 0.01, burst: 3 } } },
    }),
  });
  const { push } = DELIVERIES.github;
  opened = 0;
  const forged = { ...push(), headers: { 'x-hub-signature-256': 'sha256=00', 'x-github-event': 'push' } };
  const codes = [];
  for (let n = 0; n < 5; n++) codes.push((await answered(forged))[0]);
  expect(codes).toEqual([401, 401, 401, 429, 429]);
  // Whoever signs is let in all the same: else anybody behind the same proxy could keep the forge out.
  expect(await answered(push({ repository: '' }))).toEqual(LOOKED);

  const held = Promise.withResolvers<Buffer>();
  const door = rig.reviews?.hooks;
  const knock = (body: () => Promise<Buffer>) => door?.({ path: '', headers: forged.headers, body });
  const waiting = Array.from({ length: 16 }, () =>
    knock(() => held.promise)?.catch((error: SlipwayError) => error.code),
  );
  await expect(knock(async () => Buffer.alloc(0))).rejects.toMatchObject({ code: 'concurrency-limited' });
  // However many knock, the secret is opened once in a while.
  expect(opened).toBeLessThan(5);
  held.resolve(Buffer.from('{}'));
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['unauthorized']));
});

test('whose config it is, by the end of its URL', () => {
  expect(repositoryIn('https://git.example.com/acme/mcp.git')).toBe('acme/mcp');
  expect(repositoryIn('ssh://git@git.example.com:22/group/sub/mcp/')).toBe('group/sub/mcp');
  expect(repositoryIn('git@github.com:acme/mcp.git')).toBe('acme/mcp');
  for (const url of ['/srv/git/mcp.git', 'file:///srv/mcp.git', 'https://example.com/mcp', 'https://x/a b/c'])
    expect(repositoryIn(url)).toBe(undefined);
});
