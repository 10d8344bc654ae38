/** Limits before it is known who calls: by address, and by nothing that a caller can make up. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { addressOf, Addresses } from '../../gateway/limits/addresses.ts';
import { levelOf, Limiter } from '../../gateway/limits/limiter.ts';
import { Meters } from '../../gateway/limits/meter.ts';
import { networkOf } from '../../schemas/address.ts';
import type { AddressLimits } from '../../schemas/limits.ts';
import { ask } from '../gateway/helpers/modern.ts';
import { principal, raw, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { tempDir } from '../helpers/temp.ts';

const NEVER = 0.001;
const limits = (more: Partial<AddressLimits> = {}): { perAddress: AddressLimits } => ({
  perAddress: { connections: 100, failures: { perSecond: NEVER, burst: 3 }, trustedHops: 0, ...more },
});
const principals = [principal('ada', 'ada-token')];
const call = { name: 'up__who' };

test('who guesses is answered 401 until the burst is over, and 429 then; a good token goes on from the same address', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint }, principals, limits: limits() });
  const guess = async (n: number) => (await ask(gateway.url, 'tools/call', call, { token: `guess-${n}` })).status;
  expect([await guess(1), await guess(2), await guess(3)]).toEqual([401, 401, 401]);
  const refused = await ask(gateway.url, 'tools/call', call, { token: 'guess-4' });
  expect([refused.status, refused.json.error?.data]).toMatchObject([
    429,
    { error_code: 'rate-limited', limit: { level: 'address', name: '127.0.0.1' } },
  ]);
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(1);
  // Nobody hears at that point whether a guess was near; whoever knows is not kept out by those who do not.
  expect((await ask(gateway.url, 'tools/call', call, { token: 'ada-token' })).status).toBe(200);
  const { text } = await raw(gateway.url, { path: '/metrics', headers: { Authorization: 'Bearer ada-token' } });
  expect(text).toContain('slipway_gateway_limited_total{level="address",reason="rate-limited"} 1');
});

test('requests are refused before anybody looks at the token, where the config says so; health and the socket are free', async () => {
  await using up = await socketUpstream('up');
  using dir = tempDir();
  const socketPath = dir.at('control.sock');
  const given = {
    servers: { up: up.endpoint },
    principals,
    limits: limits({ requests: { perSecond: NEVER, burst: 2 } }),
  };
  await using gateway = await start(given, { socketPath });
  const status = async () => (await ask(gateway.url, 'tools/call', call, { token: 'ada-token' })).status;
  expect([await status(), await status(), await status()]).toEqual([200, 200, 429]);
  expect((await raw(gateway.url, { path: '/healthz' })).status).toBe(200);
  for (let n = 0; n < 5; n++)
    expect(
      (await raw('http://localhost', { path: '/metrics', socketPath, headers: { Host: 'localhost' } })).status,
    ).toBe(200);
});

test('behind a proxy each client has its own, and what stands before the entry of the proxy is only a claim', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint }, principals, limits: limits({ trustedHops: 1 }) });
  const guess = async (forwarded: string) =>
    (await ask(gateway.url, 'tools/call', call, { token: 'wrong', headers: { 'X-Forwarded-For': forwarded } })).status;
  for (let n = 0; n < 3; n++) expect(await guess(`10.0.0.${n}, 192.0.2.7`)).toBe(401);
  expect(await guess('10.9.9.9, 192.0.2.7')).toBe(429);
  expect(await guess('192.0.2.8')).toBe(401);
  // Not even one entry that makes sense: it counts for where it came from.
  expect([await guess('nonsense'), await guess(''), await guess('x'), await guess('y')]).toEqual([401, 401, 401, 429]);
});

describe('addresses', () => {
  const from = (remoteAddress: string, header?: string) =>
    ({ socket: { remoteAddress }, headers: header === undefined ? {} : { 'x-forwarded-for': header } }) as Parameters<
      typeof addressOf
    >[0];

  test.each([
    ['10.0.0.1', '1.1.1.1, 2.2.2.2', 0, '10.0.0.1'],
    ['10.0.0.1', '1.1.1.1, 2.2.2.2', 1, '2.2.2.2'],
    ['10.0.0.1', '1.1.1.1, 2.2.2.2', 2, '1.1.1.1'],
    ['10.0.0.1', '1.1.1.1, 2.2.2.2', 3, '10.0.0.1'],
    ['10.0.0.1', '2001:db8::1', 1, '2001:db8::1'],
    ['10.0.0.1', '<script>', 1, '10.0.0.1'],
    ['10.0.0.1', undefined, 1, '10.0.0.1'],
  ])('%s with %s behind %i', (own, header, hops, expected) =>
    expect(addressOf(from(own, header), hops)).toBe(expected),
  );

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('%s is of %s', (address, network) => expect(networkOf(address)).toBe(network));

  test('more connections from one address than it may have are cut; those that end make room', async () => {
    const cut: string[] = [];
    const closers: (() => void)[] = [];
    const addresses = new Addresses(() => limits({ connections: 2 }).perAddress);
    const open = (remoteAddress: string): void =>
      addresses.connected({
        remoteAddress,
        destroy: () => cut.push(remoteAddress),
        once: (_: string, listener: () => void) => closers.push(listener),
      } as unknown as Parameters<Addresses['connected']>[0]);
    for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2', '127.0.0.1', '127.0.0.1', '127.0.0.1'])
      open(address);
    expect(cut).toEqual(['192.0.2.1']);
    closers[0]?.();
    open('192.0.2.1');
    open('192.0.2.1');
    expect(cut).toEqual(['192.0.2.1', '192.0.2.1']);
  });

  test('a listener counts real connections without losing any that may stay', async () => {
    await using gateway = await start({ limits: limits({ connections: 1 }) });
    const { hostname, port } = new URL(gateway.url);
    const sockets = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const socket = connect(Number(port), hostname);
        await once(socket, 'connect');
        return socket;
      }),
    );
    expect((await raw(gateway.url, { path: '/healthz' })).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });
});

describe('memory', () => {
  test('idle meters vanish, and strangers without end do not fill it', () => {
    const meters = new Meters(10_000);
    const rate = { perSecond: 1000, burst: 1 };
    let now = 0;
    for (let n = 0; n < 200_000; n++) {
      meters.tidy(now);
      const meter = meters.of(`address ${n}`);
      expect(meter.wait(rate, now)).toBe(0);
      meter.take();
      now += 0.01;
    }
    expect(meters.size).toBeLessThanOrEqual(10_000);
    // All of them are full again after a second.
    meters.tidy((now += 1_000));
    for (let n = 0; n < 10_000; n++) {
      meters.tidy(now);
      meters.of(`other ${n}`);
    }
    expect(meters.size).toBeLessThanOrEqual(10_000);
  });

  test('a level that was forgotten meanwhile is counted once, by whichever snapshot a request comes', () => {
    const meters = new Meters();
    const limiter = new Limiter(meters);
    const [before, after] = [
      levelOf('project', 'dev', { concurrency: 1 }),
      levelOf('project', 'dev', { concurrency: 1 }),
    ];
    limiter.admit([before], 'concurrency', 0).release();
    const known = meters.of(before.key);
    for (let n = 0; n < 1000; n++) meters.of(`address ${n}`);
    const permit = limiter.admit([after], 'concurrency', 1);
    expect(meters.of(before.key)).not.toBe(known);
    expect(() => limiter.admit([before], 'concurrency', 1)).toThrow('no more than 1 requests at once');
    permit.release();
    limiter.admit([before], 'concurrency', 1).release();
  });

  test('a bucket fills by the clock, up to its burst', () => {
    const meter = new Meters().of('x');
    const rate = { perSecond: 2, burst: 2 };
    for (const now of [0, 0]) {
      expect(meter.wait(rate, now)).toBe(0);
      meter.take();
    }
    expect(meter.wait(rate, 0)).toBe(500);
    expect(meter.wait(rate, 400)).toBeCloseTo(100);
    expect(meter.wait(rate, 500)).toBe(0);
    meter.take();
    expect(meter.wait(rate, 10_000)).toBe(0);
    meter.take();
    meter.take();
    expect(meter.wait(rate, 10_000)).toBe(500);
  });
});
