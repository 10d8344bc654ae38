/** One server, many instances: who gets a call, and what happens when one of them is gone. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import type { Endpoint, ServerEntry } from '../../schemas/snapshot.ts';
import { principal, session, snapshot, start, type Session } from './helpers/gateway.ts';
import { ask } from './helpers/modern.ts';
import { httpUpstream, socketUpstream, type Upstream } from './helpers/upstreams.ts';

const entry = (ups: readonly Upstream[], more: Partial<ServerEntry> = {}): Partial<ServerEntry> => ({
  endpoints: ups.map((up) => up.endpoint),
  capabilities: { tools: {} },
  ...more,
});

const textOf = ({ json }: Awaited<ReturnType<Session['rpc']>>): string => {
  const { content } = (json.result ?? {}) as { content?: { text: string }[] };
  return content?.[0]?.text ?? JSON.stringify(json.error);
};

const who = async (mine: Session): Promise<string> => textOf(await mine.rpc('tools/call', { name: 'up__who' }));

test('a call goes to the instance with the fewest calls in flight, in turn where they are equal', async () => {
  await using one = await socketUpstream('one');
  await using two = await socketUpstream('two');
  await using three = await socketUpstream('three');
  await using gateway = await start({ servers: { up: entry([one, two, three]) }, gateway: { shutdownTimeoutMs: 0 } });
  const mine = await session(gateway.url);
  const inTurn = [await who(mine), await who(mine), await who(mine)];
  expect(inTurn.sort()).toEqual(['one', 'three', 'two']);
  const slow = Array.from({ length: 6 }, (_, id) => mine.rpc('tools/call', { name: 'up__hang' }, id + 10));
  await Promise.all([one, two, three].map((up) => up.saw('tools/call')));
  while ([one, two, three].some(({ endpoint }) => gateway.busy(endpoint.id) < 2)) await new Promise(setImmediate);
  expect([one, two, three].map(({ endpoint }) => gateway.busy(endpoint.id))).toEqual([2, 2, 2]);
  void Promise.allSettled(slow);
});

test('where the server keeps sessions, each client stays with one instance', async () => {
  await using one = await httpUpstream('one');
  await using two = await httpUpstream('two');
  await using three = await httpUpstream('three');
  await using gateway = await start({ servers: { up: entry([one, two, three]) } });
  const homes = new Set<string>();
  for (let client = 0; client < 24; client++) {
    const mine = await session(gateway.url);
    const home = await who(mine);
    const again = await Promise.all(Array.from({ length: 4 }, () => who(mine)));
    expect(new Set(again)).toEqual(new Set([home]));
    homes.add(home);
  }
  expect([...homes].sort()).toEqual(['one', 'three', 'two']);
});

test('an instance that cannot be reached is passed over, and none of the calls hears of it', async () => {
  await using good = await httpUpstream('good');
  await using other = await socketUpstream('other');
  const listener = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  const dead: Endpoint[] = [
    { id: 'dead', transport: 'http', address: `http://127.0.0.1:${port}/mcp` },
    { id: 'gone', transport: 'stdio', address: 'unix:/nonexistent/up.sock' },
  ];
  const endpoints = [...dead, good.endpoint, other.endpoint];
  await using gateway = await start({ servers: { up: { endpoints, capabilities: { tools: {} } } } });
  const calls = Array.from({ length: 12 }, async () => who(await session(gateway.url)));
  for (const answer of await Promise.all(calls)) expect(['good', 'other']).toContain(answer);
  // With nobody left to ask, the reason is told.
  await gateway.swap(snapshot({ servers: { up: { endpoints: dead, capabilities: { tools: {} } } } }));
  expect(await who(await session(gateway.url))).toMatch(/cannot be reached|Nothing listens/);
});

test('a call that arrived is not sent again, even if its instance ends before it answers', async () => {
  await using one = await socketUpstream('one');
  await using two = await socketUpstream('two');
  await using gateway = await start({ servers: { up: entry([one, two]) } });
  const mine = await session(gateway.url);
  const call = mine.rpc('tools/call', { name: 'up__hang' });
  const [hit, miss] = await Promise.race([
    one.saw('tools/call').then(() => [one, two] as const),
    two.saw('tools/call').then(() => [two, one] as const),
  ]);
  hit.drop();
  expect((await call).json.error).toMatchObject({ code: -32010 });
  expect(miss.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toEqual([]);
});

test('idle waits for the calls on those instances, and for no others', async () => {
  await using one = await socketUpstream('one');
  await using two = await socketUpstream('two');
  const servers = { up: entry([one]), other: entry([two]) };
  await using gateway = await start({ servers, gateway: { shutdownTimeoutMs: 0 } });
  const mine = await session(gateway.url);
  void mine.rpc('tools/call', { name: 'other__hang' }, 1);
  await two.saw('tools/call');
  const call = mine.rpc('tools/call', { name: 'up__slow', arguments: { ms: 50 } }, 2);
  await one.saw('tools/call');
  await using young = await socketUpstream('young');
  await gateway.swap(snapshot({ servers: { ...servers, up: entry([young]) }, gateway: { shutdownTimeoutMs: 0 } }));
  let answered = false;
  void call.then(() => (answered = true));
  await gateway.idle([one.endpoint.id]);
  expect(gateway.busy(one.endpoint.id)).toBe(0);
  expect(textOf(await call)).toBe('one');
  expect(answered).toBe(true);
  expect(gateway.busy(two.endpoint.id)).toBe(1);
});

test('a share of the sessions goes to the version on trial, the same ones as the share grows', async () => {
  await using old = await socketUpstream('old');
  await using young = await socketUpstream('young');
  const wish = (weight: number) =>
    snapshot({ servers: { up: entry([old, young], { canary: { endpoints: ['young'], weight } }) } });
  await using gateway = await start(wish(0));
  const sessions = await Promise.all(Array.from({ length: 200 }, () => session(gateway.url)));
  const onTrial = async (): Promise<Set<number>> => {
    const answers = await Promise.all(sessions.map(who));
    return new Set(answers.flatMap((answer, index) => (answer === 'young' ? [index] : [])));
  };
  expect((await onTrial()).size).toBe(0);
  await gateway.swap(wish(30));
  const some = await onTrial();
  expect(some.size).toBeGreaterThan(30);
  expect(some.size).toBeLessThan(95);
  expect(await onTrial()).toEqual(some);
  await gateway.swap(wish(60));
  const more = await onTrial();
  expect(more.size).toBeGreaterThan(some.size);
  expect([...some].filter((index) => !more.has(index))).toEqual([]);
  await gateway.swap(wish(100));
  expect((await onTrial()).size).toBe(200);
});

test('calls and errors are counted for each instance: what failed there, not what was asked wrongly', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: { ...entry([up]), timeoutMs: 100 } } });
  const mine = await session(gateway.url);
  await mine.rpc('tools/call', { name: 'up__who' }, 1);
  await mine.rpc('tools/call', { name: 'up__fail' }, 2);
  await mine.rpc('tools/call', { name: 'up__hang' }, 3); // Times out.
  const taken = mine.rpc('tools/call', { name: 'up__hang' }, 4);
  while (gateway.busy('up') === 0) await new Promise(setImmediate);
  await mine.send({ method: 'notifications/cancelled', params: { requestId: 4 } });
  await taken;
  expect(gateway.tally('up')).toEqual({ calls: 3, errors: 2 });
  expect(gateway.tally('nobody')).toEqual({ calls: 0, errors: 0 });
});

test('a client of MCP 2026-07-28 has no session: who it is decides which version it uses', async () => {
  await using old = await socketUpstream('old');
  await using young = await socketUpstream('young');
  const tokens = Array.from({ length: 40 }, (_, index) => `slw_${index}`);
  await using gateway = await start({
    servers: { up: entry([old, young], { canary: { endpoints: ['young'], weight: 50 } }) },
    principals: tokens.map((token, index) => principal(`p${index}`, token)),
  });
  const version = async (token: string): Promise<string> =>
    textOf(await ask(gateway.url, 'tools/call', { name: 'up__who' }, { token }));
  const first = await Promise.all(tokens.map(version));
  expect(new Set(first)).toEqual(new Set(['old', 'young']));
  expect(await Promise.all(tokens.map(version))).toEqual(first);
});
