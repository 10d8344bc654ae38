import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { startGateway } from '../../gateway/index.ts';
import { client, KEY, MCP_HEADERS, raw, session, snapshot, start } from './helpers/gateway.ts';
import { httpUpstream, socketUpstream, type Upstream } from './helpers/upstreams.ts';
import { silent } from '../../schemas/log.ts';

const kinds: Record<string, (name: string) => Promise<Upstream>> = {
  socket: socketUpstream,
  http: httpUpstream,
  'http with events': (name) => httpUpstream(name, { stream: true }),
};

for (const [kind, open] of Object.entries(kinds)) {
  test(`cancelling reaches the upstream, under the upstream's own id (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    await using sdk = await client(`${gateway.url}/mcp`);
    const stop = new AbortController();
    const call = sdk.callTool({ name: 'up__hang' }, undefined, { signal: stop.signal });
    const begun = await up.saw('tools/call');
    expect(gateway.busy('up')).toBe(1);
    stop.abort('Nobody wants it any more.');
    await expect(call).rejects.toThrow();
    const cancelled = await up.saw('notifications/cancelled');
    expect('params' in cancelled && cancelled.params?.['reason']).toBe('Nobody wants it any more.');
    expect('params' in cancelled && cancelled.params?.['requestId']).toBe('id' in begun && begun.id);
    expect((await sdk.callTool({ name: 'up__who' })).content).toEqual([{ type: 'text', text: 'up' }]);
    expect(gateway.busy('up')).toBe(0);
  });

  test(`a call that takes too long fails by its server's timeout (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 300 } } });
    const mine = await session(gateway.url);
    const { status, json } = await mine.rpc('tools/call', { name: 'up__hang' });
    expect([status, json.error]).toMatchObject([
      200,
      { code: -32010, message: 'up did not answer in time.', data: { error_code: 'upstream-timeout' } },
    ]);
    const cancelled = await up.saw('notifications/cancelled');
    expect('params' in cancelled && cancelled.params?.['reason']).toBe('It is not waited for any more.');
  });

  test(`an upstream that dropped us serves the next call (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const mine = await session(gateway.url);
    const who = async (): Promise<unknown> => (await mine.rpc('tools/call', { name: 'up__who' })).json.result;
    const expected = { content: [{ type: 'text', text: 'up' }] };
    expect(await who()).toEqual(expected);
    up.drop();
    expect(await who()).toEqual(expected);
    expect(up.opened).toBe(2);
  });
}

test('a client that goes away cancels its call; a foreign session cannot', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const [mine, other] = [await session(gateway.url), await session(gateway.url)];
  const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'up__hang' } });
  const call = request(`${gateway.url}/mcp`, {
    method: 'POST',
    headers: { ...MCP_HEADERS, 'Mcp-Session-Id': mine.id },
  });
  call.on('error', () => {}).end(body);
  await up.saw('tools/call');
  const cancel = (id: string, requestId: unknown) =>
    raw(gateway.url, {
      method: 'POST',
      path: '/mcp',
      headers: { ...MCP_HEADERS, 'Mcp-Session-Id': id },
      body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } }),
    });
  expect((await cancel(other.id, 7)).status).toBe(202);
  expect((await cancel(mine.id, '7')).status).toBe(202);
  expect(gateway.busy('up')).toBe(1);
  call.destroy();
  await up.saw('notifications/cancelled');
  expect(gateway.busy('up')).toBe(0);
});

test('calls are spread over the endpoints, and go round a dead one', async () => {
  await using one = await socketUpstream('one');
  await using two = await socketUpstream('two');
  const dead = { id: 'dead', transport: 'http', address: 'http://127.0.0.1:9/mcp' } as const;
  const tools = [{ name: 'slow' }];
  await using gateway = await start({ servers: { up: { endpoints: [dead, one.endpoint, two.endpoint], tools } } });
  const mine = await session(gateway.url);
  const calls = Array.from({ length: 12 }, (_, id) => mine.rpc('tools/call', { name: 'up__slow' }, id));
  const names = (await Promise.all(calls)).map(({ json }) => JSON.stringify(json.result ?? json.error));
  expect(new Set(names)).toEqual(
    new Set([one, two].map(({ endpoint }) => JSON.stringify({ content: [{ type: 'text', text: endpoint.id }] }))),
  );
});

test('swapping under load: 50 calls at a time, none fails, the session survives', async () => {
  await using old = await socketUpstream('old');
  await using young = await httpUpstream('young');
  const wish = (up: Upstream) => snapshot({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 5_000 } } });
  await using gateway = await start(wish(old));
  const mine = await session(gateway.url);
  const load = { done: false, served: 0, failures: [] as unknown[] };
  const worker = async (): Promise<void> => {
    for (let at = 0; !load.done; at++) {
      const params = { name: 'up__slow', arguments: { ms: 5 } };
      const { json, status } = await mine.rpc('tools/call', params, `${at} ${Math.random()}`);
      if (status !== 200 || !json.result) load.failures.push(json);
      load.served++;
    }
  };
  const workers = Array.from({ length: 50 }, worker);
  for (const next of [young, old, young, old, young]) {
    const target = load.served + 100;
    while (load.served < target) await new Promise(setImmediate);
    await gateway.swap(wish(next));
    const { id } = (next === young ? old : young).endpoint;
    await gateway.idle([id]);
    expect(gateway.busy(id)).toBe(0);
  }
  load.done = true;
  await Promise.all(workers);
  expect(load.failures).toEqual([]);
  expect((await mine.rpc('ping')).status).toBe(200);
});

test('a call finishes under the snapshot it began with; `idle` waits for it', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  const call = mine.rpc('tools/call', { name: 'up__slow', arguments: { ms: 100 } });
  await up.saw('tools/call');
  await gateway.swap(snapshot({}));
  const order: string[] = [];
  await Promise.all([
    call.then(({ json }) => order.push(JSON.stringify(json.result))),
    gateway.idle(['up']).then(() => order.push('idle')),
  ]);
  expect(order.toSorted()).toEqual(['idle', '{"content":[{"type":"text","text":"up"}]}']);
  expect((await mine.rpc('tools/call', { name: 'up__slow' })).json.error?.code).toBe(-32602);
});

test('a swap moves to another address, or leaves everything as it was', async () => {
  await using gateway = await start({});
  await using squatter = await start({});
  const before = gateway.url;
  const taken = snapshot({ gateway: { listen: new URL(squatter.url).host } });
  await expect(gateway.swap(taken)).rejects.toMatchObject({ code: 'listen-failed' });
  await expect(gateway.swap(snapshot({ gateway: { listen: '0.0.0.0:0' } }))).rejects.toMatchObject({
    code: 'unsafe-listen',
  });
  expect([gateway.url, (await raw(before, { path: '/health' })).text]).toEqual([before, 'ok']);
  await gateway.swap(snapshot({ gateway: { listen: 'localhost:0' } }));
  expect(gateway.url).not.toBe(before);
  expect((await raw(gateway.url, { path: '/health' })).text).toBe('ok');
  await expect(raw(before, { path: '/health' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('shutting down finishes running calls, ends streams and cancels the rest', async () => {
  await using up = await socketUpstream('up');
  const given = snapshot({ servers: { up: up.endpoint }, gateway: { shutdownTimeoutMs: 200 } });
  const gateway = await startGateway({ snapshot: given, sessionKey: KEY, log: silent, version: '0' });
  const mine = await session(gateway.url);
  const stream = request(`${gateway.url}/mcp`, {
    headers: { Accept: 'text/event-stream', 'Mcp-Session-Id': mine.id },
  }).end();
  const [answer] = (await once(stream, 'response')) as [NodeJS.ReadableStream];
  const ended = once(answer.resume(), 'end');
  const slow = mine.rpc('tools/call', { name: 'up__slow', arguments: { ms: 80 } }, 1);
  const hang = mine.rpc('tools/call', { name: 'up__hang' }, 2);
  await up.saw('tools/call');
  while (gateway.busy('up') < 2) await new Promise(setImmediate);
  await gateway[Symbol.asyncDispose]();
  await ended;
  expect((await slow).json.result).toBeDefined();
  expect((await hang).json.error?.data).toMatchObject({ error_code: 'shutting-down' });
  await expect(raw(gateway.url, { path: '/health' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(gateway.busy('up')).toBe(0);
});

test('after a shutdown the process ends by itself: no timer, socket or stream is left', async () => {
  const program = join(import.meta.dirname, 'fixtures/whole-life.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 50_000 });
  const [said, ms] = stdout.split(' ');
  expect(said).toBe('disposed');
  // A connection that is kept alive, or any time-out of the gateway, would have held it up for longer.
  expect(Number(ms)).toBeLessThan(2_500);
});
