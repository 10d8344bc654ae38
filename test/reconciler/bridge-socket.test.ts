/** The bridge's socket: how a gateway in another process reaches an instance. */
import { existsSync, statSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { parseExact } from '../../schemas/exact-json.ts';
import { connected, logged, processRig, untilState } from '../helpers/process-driver.ts';
import { callTool } from '../helpers/mcp.ts';
import { program } from '../helpers/processes.ts';
import { workload } from '../helpers/workload.ts';

const never = (): AbortSignal => new AbortController().signal;
const INITIALIZE = '{"jsonrpc":"2.0","id":"init","method":"initialize","params":{}}\n';

interface Client extends Disposable {
  readonly socket: Socket;
  /** The message with that id. */
  answer(id: string | number): Promise<{ result?: unknown; error?: unknown }>;
  send(message: object): void;
}

async function dial(address: string): Promise<Client> {
  const socket = createConnection(address.replace('unix:', ''));
  socket.on('error', () => {});
  const seen = new Map<unknown, PromiseWithResolvers<{ result?: unknown }>>();
  const slot = (id: unknown): PromiseWithResolvers<{ result?: unknown }> => {
    const entry = seen.get(id) ?? Promise.withResolvers<{ result?: unknown }>();
    seen.set(id, entry);
    return entry;
  };
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // It hands on the socket's.
  lines.on('line', (line) => {
    const message = JSON.parse(line) as { id?: unknown; method?: string; result?: unknown };
    slot(message.id ?? message.method).resolve(message);
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return {
    socket,
    answer: (id) => slot(id).promise,
    send: (message) => void socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

const call = (id: string | number, name: string, args: object = {}): object => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});

const textOf = (answer: unknown): unknown =>
  (answer as { result: { content: { text: string }[] } }).result.content[0]?.text;

async function socketOf(name: string) {
  const rig = await processRig();
  const { id, endpoint } = await rig.driver.ensure(workload({ argv: program(name) }), 0, never());
  return { id, driver: rig.driver, address: endpoint.address, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

test('only this user can connect, and the socket goes with the instance', async () => {
  await using it = await socketOf('good');
  const path = it.address.replace('unix:', '');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  using client = await dial(it.address);
  const closed = new Promise((resolve) => client.socket.once('close', resolve));
  await it.driver.remove(it.id, never());
  await closed;
  expect(existsSync(path)).toBe(false);
});

test('a connection wakes nobody; its first request does', async () => {
  await using it = await socketOf('good');
  using client = await dial(it.address);
  expect((await it.driver.list(never()))[0]?.state).toBe('sleeping');
  client.socket.write(INITIALIZE);
  expect(await client.answer('init')).toMatchObject({ result: { serverInfo: { name: 'tiny' } } });
  client.send({ method: 'notifications/initialized' });
  client.send(call('a', 'echo', { message: 'hi' }));
  expect(textOf(await client.answer('a'))).toBe('hi');
});

test('clients may use the same ids, numbers and texts alike, without being mixed up', async () => {
  await using it = await socketOf('good');
  const clients = await Promise.all([1, 2, 3].map(() => dial(it.address)));
  using stack = new DisposableStack();
  for (const client of clients) stack.use(client);
  for (const [index, client] of clients.entries()) {
    client.socket.write(INITIALIZE);
    client.send(call(1, 'echo', { message: `number of ${index}` }));
    client.send(call('1', 'echo', { message: `text of ${index}` }));
  }
  for (const [index, client] of clients.entries()) {
    expect(textOf(await client.answer(1))).toBe(`number of ${index}`);
    expect(textOf(await client.answer('1'))).toBe(`text of ${index}`);
  }
});

test('what is no message is overlooked, and a message may come in pieces', async () => {
  await using it = await socketOf('good');
  using client = await dial(it.address);
  client.socket.write('garbage\n[]\n{"jsonrpc":"1.0"}\n\n');
  client.socket.write(INITIALIZE);
  await client.answer('init');
  const bytes = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', ...call('p', 'echo', { message: 'ü世' }) })}\n`);
  for (const byte of bytes) client.socket.write(Uint8Array.of(byte));
  expect(textOf(await client.answer('p'))).toBe('ü世');
});

test('errors come back as errors, the connection stays', async () => {
  await using it = await socketOf('good');
  using client = await dial(it.address);
  client.send({ id: 1, method: 'no/such/method' });
  expect(await client.answer(1)).toMatchObject({ error: { code: -32_603 } });
  client.send({ id: 2, method: 'ping' });
  expect(await client.answer(2)).toMatchObject({ result: {} });
});

test('a cancelled call is cancelled in the server; a client that goes away cancels all of its calls', async () => {
  await using it = await socketOf('slow');
  using staying = await dial(it.address);
  const leaving = await dial(it.address);
  staying.send(call(7, 'wait', { tag: 'one' }));
  leaving.send(call(7, 'wait', { tag: 'two' }));
  leaving.send(call(8, 'wait', { tag: 'three' }));
  await logged(it.driver, it.id, 'waiting three');
  staying.send({ method: 'notifications/cancelled', params: { requestId: 7 } });
  await logged(it.driver, it.id, 'cancelled one');
  leaving.socket.destroy();
  await logged(it.driver, it.id, 'cancelled two');
  await logged(it.driver, it.id, 'cancelled three: 3');
  expect(await callTool(await connected(it.driver, it.id), 'cancelled')).toBe('3');
});

test('clients live through a crash of the server', async () => {
  await using it = await socketOf('crash-on-call');
  using client = await dial(it.address);
  client.send(call(1, 'pid'));
  const first = textOf(await client.answer(1));
  client.send(call(2, 'crash'));
  expect(await client.answer(2)).toMatchObject({ error: { data: { error_code: 'upstream-unavailable' } } });
  client.send(call(3, 'pid'));
  expect(textOf(await client.answer(3))).not.toBe(first);
  await untilState(it.driver, it.id, 'running');
});

test('numbers that JavaScript cannot hold pass both ways as they were written', async () => {
  await using it = await socketOf('verbatim');
  using client = await dial(it.address);
  let text = '';
  client.socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  client.send(call('one', 'any', parseExact('{"id":9007199254740993}') as object));
  expect(textOf(await client.answer('one'))).toContain('"arguments":{"id":9007199254740993}');
  expect(text).toContain('"structuredContent":{"id":9223372036854775807}');
});

test('a server that says several things in one line is heard', async () => {
  await using it = await socketOf('together');
  using client = await dial(it.address);
  client.send(call(1, 'any'));
  expect(textOf(await client.answer(1))).toBe('together');
});
