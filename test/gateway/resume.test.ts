/** Event streams that break off, and clients that come back for the rest (Last-Event-ID). */
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { expect, test, vi } from 'vitest';
import { eventName, placeOf } from '../../gateway/sessions/event-names.ts';
import { Replays } from '../../gateway/sessions/replay.ts';
import { converse, type Events, listen, principal, raw, session, start } from './helpers/gateway.ts';
import { socketUpstream } from './helpers/upstreams.ts';
import { opened } from '../helpers/opened.ts';

const ask = { name: 'up__ask', arguments: { method: 'roots/list', params: {} } };
const call = { id: 1, method: 'tools/call', params: ask };

async function breakOff({ answer, close }: Events): Promise<void> {
  const closed = new Promise((resolve) => answer.once('close', resolve));
  close();
  await closed;
}

test('a call goes on when its stream breaks off, and its client gets what it missed', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url, { capabilities: { roots: {} } });
  const first = await converse(gateway.url, mine.id, call);
  const question = (await first.next()) as { id: string };
  await breakOff(first);
  const { lastId } = first;
  expect(lastId).not.toBe('');
  // The question again: this client says that it saw only the event that opened the stream.
  const second = await listen(gateway.url, mine.id, '/mcp', lastId.replace(/\d+$/, '0'));
  expect(await second.next()).toEqual(question);
  await breakOff(second);
  await mine.send({ id: question.id, result: { roots: [] } });
  const third = await listen(gateway.url, mine.id, '/mcp', lastId);
  expect(await third.next()).toMatchObject({ id: 1, result: {} });
  if (!third.answer.readableEnded) await once(third.answer, 'end');
  expect(up.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toHaveLength(1);
});

test('what was said unasked while nobody listened is told to the client that comes back', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  await mine.rpc('tools/call', { name: 'up__who' });
  const say = (data: string): void =>
    up.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } });
  const first = await listen(gateway.url, mine.id);
  say('one');
  expect(await first.next()).toMatchObject({ params: { data: 'one' } });
  await breakOff(first);
  say('two');
  const second = await vi.waitFor(() => listen(gateway.url, mine.id, '/mcp', first.lastId), 20_000);
  expect(await second.next()).toMatchObject({ params: { data: 'two' } });
  say('three');
  expect(await second.next()).toMatchObject({ params: { data: 'three' } });
  second.close();
});

/** A GET stream whose text is gathered as it comes. */
async function gather(url: string, id: string, after?: string): Promise<{ answer: IncomingMessage; said(): string }> {
  const last = after === undefined ? {} : { 'Last-Event-ID': after };
  const headers = { Accept: 'text/event-stream', 'Mcp-Session-Id': id, ...last };
  const [answer] = (await once(get(`${url}/mcp`, { headers, agent: false }), 'response')) as [IncomingMessage];
  let text = '';
  answer.setEncoding('utf8').on('error', () => {});
  answer.on('data', (part: string) => (text += part));
  return { answer, said: () => text };
}

/** Twenty megabytes are looked through each time, on machines that have other things to do. */
const PATIENT = { timeout: 60_000, interval: 250 };

test('a client that does not read is cut off, and hears what follows when it comes back', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const [mine, other] = await Promise.all([session(gateway.url), session(gateway.url)]);
  await mine.rpc('tools/call', { name: 'up__who' });
  const say = (data: string): void =>
    up.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data } });
  const first = await gather(gateway.url, mine.id);
  const witness = await gather(gateway.url, other.id);
  await vi.waitFor(() => expect(first.said()).toContain('id: '), PATIENT);
  first.answer.pause();
  for (let n = 0; n < 40; n++) say('x'.repeat(500_000));
  say('last');
  await vi.waitFor(() => expect(witness.said()).toContain('"last"'), PATIENT);
  const second = await gather(gateway.url, mine.id, /^id: (.+)$/m.exec(first.said())?.[1]);
  await vi.waitFor(() => expect(second.said()).toContain('"last"'), PATIENT);
  say('after');
  await vi.waitFor(() => expect(second.said()).toContain('"after"'), PATIENT);
  for (const { answer } of [first, witness, second]) answer.destroy();
});

test('the first event has an id, no message, and says when to come back; older clients are spared it', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  for (const [version, primed] of [
    ['2025-11-25', true],
    ['2025-06-18', false],
  ] as const) {
    const mine = await session(gateway.url, { version });
    const params = { name: 'up__progress', arguments: {}, _meta: { progressToken: 't' } };
    const { text } = await mine.rpc('tools/call', params);
    expect(/^id: [0-9a-f]{12}\.[\w-]+-0\nretry: \d+\ndata: \n\n/.test(text)).toBe(primed);
    expect(text).toMatch(/^id: [0-9a-f]{12}\.[\w-]+-1\nevent: message\ndata: \{/m);
  }
});

test('who comes back for an answer that a restart lost is told so, and listens to nothing else in its place', async () => {
  await using up = await socketUpstream('up', { all: true });
  const wish = { servers: { up: up.endpoint }, gateway: { shutdownTimeoutMs: 10 } };
  const before = await start(wish);
  const mine = await session(before.url, { capabilities: { roots: {} } });
  const listened = await listen(before.url, mine.id);
  const long = 'x'.repeat(600);
  const lost: Events[] = [];
  for (const id of [1, '"1"', long]) {
    const stream = await converse(before.url, mine.id, { ...call, id });
    await stream.next();
    lost.push(stream);
  }
  await before[Symbol.asyncDispose]();
  await using gateway = await start(wish);
  const back = (last: string) => {
    const headers = { Accept: 'text/event-stream', 'Mcp-Session-Id': mine.id, 'Last-Event-ID': last };
    return raw(gateway.url, { path: '/mcp', headers });
  };
  for (const [at, id] of [1, '"1"'].entries()) {
    const { status, text } = await back(lost[at]?.lastId ?? '');
    const told = JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? '{}') as unknown;
    expect([status, told]).toMatchObject([200, { id, error: { data: { error_code: 'answer-lost' } } }]);
  }
  // There was no room for its id in the names of its events.
  expect(await back(lost[2]?.lastId ?? '')).toMatchObject({ status: 410 });
  // Whoever listened listens on, and its place was taken by none of these.
  const again = await listen(gateway.url, mine.id, '/mcp', listened.lastId);
  expect(again.answer.statusCode).toBe(200);
  for (const stream of [...lost, listened, again]) stream.close();
});

test('made-up names of events are none', () => {
  const place = { stream: '0123456789ab.WzFd', number: 2, about: [1] };
  expect(placeOf(eventName(place.stream, 2))).toEqual(place);
  expect(placeOf('0123456789ab-7')).toEqual({ stream: '0123456789ab', number: 7, about: undefined });
  for (const odd of ['{}', 'x', '[{"a":1}]', '']) {
    const name = `0123456789ab.${Buffer.from(odd).toString('base64url')}-1`;
    expect(placeOf(name)?.about).toEqual([]);
  }
  for (const none of ['', '-1', '0123456789AB-1', '0123456789ab-', '0123456789ab.W z-1', '0123456789ab-1\n'])
    expect(placeOf(none)).toBeUndefined();
});

test("session hijack: another session's event id brings nothing of that session", async () => {
  await using up = await socketUpstream('up', { all: true });
  const principals = [principal('ada', 'slw_ada'), principal('eve', 'slw_eve')];
  await using gateway = await start({ servers: { up: up.endpoint }, principals });
  const ada = await session(gateway.url, { token: 'slw_ada', capabilities: { roots: {} } });
  const eve = await session(gateway.url, { token: 'slw_eve' });
  const stream = await converse(gateway.url, ada.id, call, '/mcp', 'slw_ada');
  await stream.next();
  const headers = { Accept: 'text/event-stream', 'Last-Event-ID': stream.lastId.replace(/\d+$/, '0') };
  const asEve = (id: string) => ({
    path: '/mcp',
    headers: { ...headers, Authorization: 'Bearer slw_eve', 'Mcp-Session-Id': id },
  });
  expect((await raw(gateway.url, asEve(ada.id))).status).toBe(404);
  const fresh = await listen(gateway.url, eve.id, '/mcp', stream.lastId.replace(/\d+$/, '0'), 'slw_eve');
  expect(fresh.lastId.slice(0, 12)).not.toBe(stream.lastId.slice(0, 12));
  fresh.close();
  stream.close();
});

test('a server may close the stream of a call, and is asked for the rest when it wants to be, as often as it takes', async () => {
  const asked: (string | undefined)[] = [];
  const listener = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = JSON.parse(body || '{}') as { id?: number; method?: string };
    const events = (text: string): void =>
      void response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end(text);
    if (request.method === 'GET') {
      const { 'last-event-id': last } = request.headers;
      if (last === undefined) return void response.writeHead(405).end();
      asked.push(String(last));
      const result = { content: [{ type: 'text', text: 'late' }] };
      const answer = `id: c\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: callId, result })}\n\n`;
      if (asked.length === 1) return events('id: b\nretry: 1\ndata: \n\n');
      // It may have nothing to say for as often as it likes.
      if (asked.length < 8) return events('');
      // What is cut off before its end was not received, whatever its name.
      if (asked.length > 8) return events(answer);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      return void response.write(answer.slice(0, -20), () => response.destroy());
    }
    if (message.method === 'tools/call') {
      callId = message.id;
      return events('id: a\nretry: 1\ndata: \n\n');
    }
    if (message.id === undefined) return void response.writeHead(202).end();
    const result =
      message.method === 'initialize'
        ? { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'lazy', version: '1' } }
        : { tools: [{ name: 'late', inputSchema: { type: 'object' } }] };
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  });
  let callId: number | undefined;
  const address = `${await opened(listener)}/mcp`;
  await using gateway = await start({ servers: { lazy: { id: 'lazy', transport: 'http', address } } });
  const mine = await session(gateway.url);
  const { json } = await mine.rpc('tools/call', { name: 'lazy__late' });
  expect(json.result).toEqual({ content: [{ type: 'text', text: 'late' }] });
  expect(asked).toEqual(['a', ...Array.from({ length: 8 }, () => 'b')]);
});

/** A server of which each call says that it goes on, and is answered when the test says so. */
async function slowServer() {
  const answers = new Map<string, (text: string) => void>();
  const listener = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.method === 'GET') return void response.writeHead(405).end();
    const { id, method, params } = JSON.parse(body) as { id?: number; method: string; params?: typeof call.params };
    if (id === undefined) return void response.writeHead(202).end();
    if (method !== 'tools/call') {
      const welcome = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'up', version: '1' } };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      const tools = ['small', 'big'].map((name) => ({ name, inputSchema: { type: 'object' } }));
      const result = method === 'initialize' ? { ...welcome, capabilities: { tools: {} } } : { tools };
      return void response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    }
    const { progressToken } = (params as unknown as { _meta: { progressToken: unknown } })._meta;
    const event = (message: object): string => `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.write(event({ method: 'notifications/progress', params: { progressToken, progress: 1 } }));
    const name = String(params?.name);
    answers.set(name, (text) => response.end(event({ id, result: { content: [{ type: 'text', text }] } })));
  });
  const address = `${await opened(listener)}/mcp`;
  return { endpoint: { id: 'up', transport: 'http' as const, address }, answers };
}

const begin = (url: string, id: string, number: number, name: string): Promise<Events> =>
  converse(url, id, {
    id: number,
    method: 'tools/call',
    params: { name: `up__${name}`, _meta: { progressToken: number } },
  });

test('an answer that waits for its client is pushed out by none that others have read', async () => {
  const { endpoint, answers } = await slowServer();
  await using gateway = await start({ servers: { up: endpoint } });
  const mine = await session(gateway.url);
  const small = await begin(gateway.url, mine.id, 7, 'small');
  await small.next();
  await breakOff(small);
  await mine.rpc('ping'); // What it hears after this, it knows after that.
  answers.get('small')?.('small');
  for (const size of [3_000_000, 3_000_000, 5_000_000]) {
    const big = await begin(gateway.url, mine.id, 8, 'big');
    await big.next();
    answers.get('big')?.('x'.repeat(size));
    expect(await big.next()).toMatchObject({ id: 8 });
  }
  const again = await listen(gateway.url, mine.id, '/mcp', small.lastId);
  expect(await again.next()).toMatchObject({ id: 7, result: { content: [{ text: 'small' }] } });
});

test('an answer that is too large to be kept is lost when its client was away, and its client is told so', async () => {
  const { endpoint, answers } = await slowServer();
  await using gateway = await start({ servers: { up: endpoint } });
  const mine = await session(gateway.url);
  const big = await begin(gateway.url, mine.id, 7, 'big');
  await big.next();
  await breakOff(big);
  await mine.rpc('ping');
  answers.get('big')?.('x'.repeat(5_000_000));
  await gateway.idle(['up']);
  const again = await listen(gateway.url, mine.id, '/mcp', big.lastId);
  expect(await again.next()).toMatchObject({ id: 7, error: { data: { error_code: 'answer-lost' } } });
});

test('what is kept is bounded for a session and for all, and given back', () => {
  const replays = new Replays();
  const streams = Array.from({ length: 30 }, (_, at) => replays.open(`s${at}`));
  const megabyte = 'x'.repeat(1024 * 1024);
  for (const stream of streams) for (let n = 0; n < 8; n++) stream.event(megabyte);
  expect(streams[0]?.bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect(replays.bytes).toBeLessThanOrEqual(64 * 1024 * 1024);
  // A client that reads many answers to their end leaves few of them behind.
  for (let n = 0; n < 1000; n++) {
    const stream = replays.open('busy');
    stream.event('{}');
    stream.end();
  }
  expect(replays.count('busy')).toBeLessThanOrEqual(64);
  replays.close();
  expect([replays.bytes, replays.size]).toEqual([0, 0]);
});
