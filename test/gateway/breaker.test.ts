/** A server that is down costs its callers no time, takes nobody else along, and is noticed when it is back. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Breaker } from '../../gateway/upstream/breaker.ts';
import type { RpcMessage } from '../../schemas/jsonrpc.ts';
import { server as mind } from './fixtures/tools.mjs';
import { session, start } from './helpers/gateway.ts';
import { httpUpstream } from './helpers/upstreams.ts';

/** A server that listens where it is told, so that it can come back. */
async function serve(port: number): Promise<Server> {
  const listener = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = JSON.parse(body || '{}') as RpcMessage;
    if (!('id' in message)) return void response.writeHead(202).end();
    const send = (answer: object): void =>
      void response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    mind({ name: 'shaky', send })(message);
  });
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return listener;
}

function stop(listener: Server): Promise<void> {
  listener.closeAllConnections();
  return new Promise((resolve) => void listener.close(() => resolve()));
}

test('a server that fails again and again is refused at once, the others answer, and it is back soon after it is back', async () => {
  await using good = await httpUpstream('good');
  const before = await serve(0);
  const { port } = before.address() as AddressInfo;
  const address = `http://127.0.0.1:${port}/mcp`;
  await using gateway = await start({
    servers: { shaky: { id: 'shaky', transport: 'http', address }, good: good.endpoint },
  });
  const mine = await session(gateway.url);
  const call = async (name: string) => (await mine.rpc('tools/call', { name })).json;
  expect((await call('shaky__who')).result).toBeDefined();
  expect(gateway.upstreams('shaky')).toMatchObject([{ connected: true, breaker: 'closed', calls: 1 }]);

  await stop(before);
  await vi.waitFor(async () => {
    expect((await call('shaky__who')).error?.message).toContain('times in a row');
  }, 40_000);
  expect(gateway.upstreams('shaky')).toMatchObject([
    { breaker: 'open', lastError: expect.stringContaining('cannot be reached') },
  ]);
  const began = performance.now();
  await call('shaky__who');
  expect((await call('good__who')).result).toBeDefined();
  expect(performance.now() - began).toBeLessThan(10_000);

  const after = await serve(port);
  onTestFinished(() => stop(after));
  await vi.waitFor(async () => expect((await call('shaky__who')).result).toBeDefined(), 40_000);
  expect(gateway.upstreams('shaky')).toMatchObject([{ breaker: 'closed' }]);
});

test('a tool that is too slow, however often, closes no server whose other tools answer', async () => {
  await using up = await httpUpstream('up');
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 200 } } });
  const mine = await session(gateway.url);
  const slow = Array.from({ length: 8 }, (_, id) => mine.rpc('tools/call', { name: 'up__hang' }, id));
  for (const { json } of await Promise.all(slow))
    expect(json.error?.data).toMatchObject({ error_code: 'upstream-timeout' });
  expect(gateway.upstreams('up')).toMatchObject([{ breaker: 'closed' }]);
  await expect.poll(async () => (await mine.rpc('tools/call', { name: 'up__who' })).json.result).toBeDefined();
});

test('while a breaker is open nobody passes; then one may try, and its success lets all through', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const breaker = new Breaker();
  for (let n = 0; n < 5; n++) breaker.failed(new Error('gone'));
  expect(breaker.state).toBe('open');
  expect(() => breaker.pass()).toThrow('gone');
  vi.advanceTimersByTime(2_001);
  expect(breaker.state).toBe('half-open');
  breaker.pass();
  expect(() => breaker.pass()).toThrow();
  breaker.succeeded();
  expect(breaker.state).toBe('closed');
  breaker.pass();
});
