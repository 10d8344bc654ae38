/** Whom a question is for: known from the order of what a server says, and certain where an instance has but one client. */
import { createServer, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RpcMessage } from '../../schemas/jsonrpc.ts';
import { converse, listen, session, start } from './helpers/gateway.ts';
import { ask, begin } from './helpers/modern.ts';
import { socketUpstream } from './helpers/upstreams.ts';
import { opened } from '../helpers/opened.ts';

const form = { message: 'Who?', requestedSchema: { type: 'object', properties: {} } };

test('a question that comes in one piece with the answer to another client is for the one that still waits', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint }, gateway: { shutdownTimeoutMs: 0 } });
  const [one, two] = [await session(gateway.url), await session(gateway.url, { capabilities: { elicitation: {} } })];
  const calls = () => up.seen.filter((message) => 'method' in message && message.method === 'tools/call');
  const quiet = one.rpc('tools/call', { name: 'up__hang' }, 1);
  await expect.poll(() => calls().length).toBe(1);
  // Its answer begins with the question.
  const begun = converse(gateway.url, two.id, { id: 2, method: 'tools/call', params: { name: 'up__hang' } });
  await expect.poll(() => calls().length).toBe(2);
  const [first] = calls() as { id: number }[];
  // Two writes in one turn arrive as one chunk.
  up.say({ jsonrpc: '2.0', id: first?.id, result: { content: [] } });
  up.say({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: form });
  expect((await quiet).json.result).toEqual({ content: [] });
  const asking = await begun;
  const question = (await asking.next()) as { id: string; method: string };
  expect(question.method).toBe('elicitation/create');
  await two.send({ id: question.id, result: { action: 'decline' } });
  expect(await up.answered('q')).toMatchObject({ result: { action: 'decline' } });
  asking.close();
});

/**
 * A server that keeps sessions, and asks on the stream that belongs to no call: for the roots of whoever says that they changed, and
 * who calls `ask`. What calls `hang` is not answered.
 */
async function askingServer() {
  const streams = new Map<string, ServerResponse>();
  const answers: unknown[] = [];
  let [sessions, hanging] = [0, 0];
  const listener = createServer(async (request, response) => {
    const own = String(request.headers['mcp-session-id']);
    if (request.method === 'DELETE') return void response.writeHead(200).end();
    if (request.method === 'GET') {
      streams.set(own, response.writeHead(200, { 'Content-Type': 'text/event-stream' }));
      return response.flushHeaders();
    }
    const message = JSON.parse(await text(request)) as RpcMessage;
    if (!('method' in message)) answers.push([own, 'result' in message ? message.result : message.error]);
    if (!('method' in message) || !('id' in message)) {
      response.writeHead(202).end();
      if ('method' in message && message.method.endsWith('roots/list_changed'))
        streams.get(own)?.write('data: {"jsonrpc":"2.0","id":"r","method":"roots/list"}\n\n');
      return;
    }
    const { id, method } = message;
    const welcome = {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'up', version: '1' },
    };
    const tools = ['x', 'ask', 'hang'].map((name) => ({ name, inputSchema: { type: 'object' } }));
    const name = method === 'tools/call' ? message.params?.['name'] : undefined;
    if (name === 'hang') return void (hanging += 1);
    const question = { jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: form };
    if (name === 'ask') return void streams.get(own)?.write(`data: ${JSON.stringify(question)}\n\n`);
    const result = { initialize: welcome, 'tools/list': { tools }, 'tools/call': { content: [] } }[method] ?? {};
    const fresh = method === 'initialize' ? { 'Mcp-Session-Id': `s${++sessions}` } : {};
    response.writeHead(200, { 'Content-Type': 'application/json', ...fresh });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  const address = `${await opened(listener)}/mcp`;
  return { endpoint: { id: 'up', transport: 'http' as const, address }, answers, streams, hanging: () => hanging };
}

test('between its calls, a client with an instance of its own is asked on the stream that it listens to', async () => {
  const up = await askingServer();
  const isolated = { maxInstances: 5, idleMs: 60_000 };
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], isolated } } });
  const capabilities = { roots: { listChanged: true } };
  const [mine, deaf] = [await session(gateway.url, { capabilities }), await session(gateway.url, { capabilities })];
  const heard = await listen(gateway.url, mine.id);
  for (const each of [mine, deaf]) await each.rpc('tools/call', { name: 'up__x' });
  // The gateway's own, in which it lists, is one of them.
  await expect.poll(() => up.streams.size).toBe(3);
  await mine.send({ method: 'notifications/roots/list_changed' });
  const question = (await heard.next()) as { id: string; method: string };
  expect(question.method).toBe('roots/list');
  const roots = [{ uri: 'file:///work' }];
  await mine.send({ id: question.id, result: { roots } });
  await expect.poll(() => up.answers).toEqual([[expect.any(String), { roots }]]);
  // Who does not listen cannot be asked, and nobody is asked instead.
  await deaf.send({ method: 'notifications/roots/list_changed' });
  await expect.poll(() => up.answers[1]).toMatchObject([expect.any(String), { code: -32_600 }]);
  heard.close();
});

test('where each client has its own instance, one that calls twice at once and keeps no session can be asked', async () => {
  const up = await askingServer();
  const isolated = { maxInstances: 5, idleMs: 60_000 };
  await using gateway = await start({
    servers: { up: { endpoints: [up.endpoint], isolated } },
    gateway: { shutdownTimeoutMs: 0 },
  });
  const by = { capabilities: { elicitation: { form: {} } } };
  expect((await ask(gateway.url, 'tools/call', { name: 'up__x' }, by)).json.result).toMatchObject({ content: [] });
  await expect.poll(() => up.streams.size).toBe(2);
  const hanging = begin(gateway.url, 'tools/call', { name: 'up__hang' }, by).on('error', () => {});
  await expect.poll(() => up.hanging()).toBe(1);
  const { result } = (await ask(gateway.url, 'tools/call', { name: 'up__ask' }, by)).json;
  expect(result).toMatchObject({ resultType: 'input_required' });
  hanging.destroy();
});

test('while a person thinks, none of the calls is slow that the question may be about', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 300 } } });
  const mine = await session(gateway.url, { capabilities: { elicitation: {} } });
  const calls = () => up.seen.filter((message) => 'method' in message && message.method === 'tools/call');
  const first = mine.rpc('tools/call', { name: 'up__hang' }, 1);
  await expect.poll(() => calls().length).toBe(1);
  const begun = converse(gateway.url, mine.id, { id: 2, method: 'tools/call', params: { name: 'up__hang' } });
  await expect.poll(() => calls().length).toBe(2);
  up.say({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: form });
  const second = await begun;
  const question = (await second.next()) as { id: string };
  await sleep(900);
  await mine.send({ id: question.id, result: { action: 'decline' } });
  await up.answered('q');
  for (const call of calls() as { id: number }[]) up.say({ jsonrpc: '2.0', id: call.id, result: { content: [] } });
  expect((await first).json.result).toEqual({ content: [] });
  expect(await second.next()).toMatchObject({ id: 2, result: { content: [] } });
});

test('a call that the question is not about is as slow as ever when it was answered', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: { endpoints: [up.endpoint], timeoutMs: 300 } } });
  const mine = await session(gateway.url, { capabilities: { elicitation: {} } });
  const first = mine.rpc('tools/call', { name: 'up__hang' }, 1);
  await up.saw('tools/call');
  const params = { name: 'up__ask', arguments: { method: 'elicitation/create', params: form } };
  const asking = await converse(gateway.url, mine.id, { id: 2, method: 'tools/call', params });
  const question = (await asking.next()) as { id: string };
  await mine.send({ id: question.id, result: { action: 'decline' } });
  expect(await asking.next()).toMatchObject({ id: 2, result: {} });
  expect((await first).json.error?.data).toMatchObject({ error_code: 'upstream-timeout' });
});
