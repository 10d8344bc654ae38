/** Requests to servers over connections that are kept: whose answer is whose, what is sent twice (nothing), and what ends. */
import { once } from 'node:events';
import { createServer as createTcp, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpClient } from '../../gateway/upstream/http1/client.ts';
import { NotDelivered } from '../../gateway/upstream/link.ts';
import { answer, Caller, http, POST, tcp, turn } from './helpers/callers.ts';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

test('what arrives is what was sent, and it takes one connection', async () => {
  const ports = new Set<number | undefined>();
  const caller = await http(async (request, response) => {
    ports.add(request.socket.remotePort);
    const { method, url, headers } = request;
    response.end(JSON.stringify({ method, url, headers, body: await text(request) }));
  });
  for (const body of ['hello', '', 'grüße 🌍', 'x'.repeat(300_000)]) {
    const [status, said] = await caller.post(body);
    expect(status).toBe(200);
    expect(JSON.parse(said)).toMatchObject({
      method: 'POST',
      url: '/a%20b?c=d',
      headers: {
        host: caller.url.host,
        via: expect.stringContaining('slipway') as string,
        'content-length': String(Buffer.byteLength(body)),
      },
      body,
    });
  }
  expect(ports.size).toBe(1);
});

test('without a body there is no length, but of a POST', async () => {
  const caller = await http((request, response) => response.end(JSON.stringify(request.headers)));
  const parts: string[] = [];
  for (const method of ['GET', 'DELETE'] as const)
    await caller.client.send(
      caller.url,
      { method, headers: {} },
      { onData: (chunk) => void parts.push(String(chunk)) },
    );
  for (const part of parts) expect(JSON.parse(part)).not.toHaveProperty('content-length');
  await caller.client.send(caller.url, POST, { onData: (chunk) => void parts.push(String(chunk)) });
  expect(JSON.parse(parts.at(-1) ?? '')).toMatchObject({ 'content-length': '0' });
});

test('many at once: each gets its own answer; more than there may be connections wait their turn', async () => {
  const ports = new Set<number | undefined>();
  const caller = await http(async (request, response) => {
    ports.add(request.socket.remotePort);
    const body = await text(request);
    setImmediate(() => response.end(body));
  });
  const sent = Array.from({ length: 1_000 }, (_, at) => `call ${at}`);
  const same = sent.map((body) => [200, body]);
  expect(await Promise.all(sent.map((body) => caller.post(body)))).toEqual(same);
  expect(ports.size).toBe(256);
  // Those who leave, on the way or while they wait, hold up nobody.
  const gone = new AbortController();
  const left = Array.from({ length: 500 }, () => caller.post('never mind', gone.signal));
  const answers = sent.map((body) => caller.post(body));
  gone.abort(new Error('left'));
  expect((await Promise.allSettled(left)).every(({ status }) => status === 'rejected')).toBe(true);
  expect(await Promise.all(answers)).toEqual(same);
});

describe('what is not delivered, and what may have been', () => {
  test('nobody there', async () => {
    const free = createTcp().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const nobody = new Caller(`http://127.0.0.1:${(free.address() as AddressInfo).port}/`);
    await new Promise((resolve) => free.close(resolve));
    await expect(nobody.post('x')).rejects.toBeInstanceOf(NotDelivered);
  });

  test('a header that none can be', async () => {
    const caller = await http((_, response) => response.end());
    const send = caller.client.send(caller.url, { method: 'GET', headers: { A: 'b\r\nC: d' } });
    await expect(send).rejects.toBeInstanceOf(NotDelivered);
  });

  test('a client that was closed', async () => {
    const caller = await http(() => {});
    const running = caller.post('x');
    await turn();
    caller.client.close();
    await expect(running).rejects.toMatchObject({ code: 'upstream-unavailable' });
    await expect(caller.post('x')).rejects.toBeInstanceOf(NotDelivered);
  });

  test('a server that hangs up instead of an answer, or in the middle of one', async () => {
    for (const half of ['', 'HTTP/1.1 200 OK\r\nContent-Le', answer('hello').slice(0, -1)]) {
      const caller = await tcp((socket) => socket.once('data', () => socket.end(half)));
      const error: unknown = await caller.post('x').catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'upstream-unavailable', message: 'The connection to the server broke.' });
      // It may have done what it was asked: sending it again is not ours to decide.
      expect(error).not.toBeInstanceOf(NotDelivered);
    }
  });

  test('a server that hangs up and does not listen any more', async () => {
    for (const half of ['', 'HTTP/1.1 200 OK\r\nContent-Le', answer('hello').slice(0, -1)]) {
      const caller = await tcp((socket) => socket.pause().end(half));
      await expect(caller.post('x'.repeat(20_000_000))).rejects.toThrow('The connection to the server broke.');
    }
  });

  test('what cannot even begin', async () => {
    const { DEFAULT_CIPHERS } = tls;
    onTestFinished(() => void (tls.DEFAULT_CIPHERS = DEFAULT_CIPHERS));
    tls.DEFAULT_CIPHERS = 'none';
    const caller = new Caller('https://127.0.0.1:1/');
    const all = await Promise.allSettled([caller.post('x'), caller.post('y'), caller.post('z')]);
    for (const each of all) expect(each).toMatchObject({ reason: { cause: { code: 'ERR_SSL_NO_CIPHER_MATCH' } } });
    for (const each of all) expect(each.status === 'rejected' && each.reason).toBeInstanceOf(NotDelivered);
    expect(() => new HttpClient(new URL('ftp://127.0.0.1/'), false)).toThrow(NotDelivered);
  });

  test('an answer that is none', async () => {
    const caller = await tcp((socket) => socket.once('data', () => socket.write('SSH-2.0-OpenSSH\r\n\r\n')));
    await expect(caller.post('x')).rejects.toThrow('cannot be read (HTTP: not a status)');
  });

  test('a reader that had enough', async () => {
    const closed = Promise.withResolvers<void>();
    const caller = await tcp((socket) => {
      socket.on('close', () => closed.resolve()).once('data', () => socket.write(answer('x').slice(0, -1)));
    });
    const reader = {
      onHead: () => {
        throw new RangeError('enough');
      },
    };
    await expect(caller.client.send(caller.url, { ...POST, body: '' }, reader)).rejects.toThrow('cannot be read');
    await closed.promise;
  });
});

test('nobody waits any more: before it is sent nothing is, and what was sent is hung up on', async () => {
  const closed = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  let connections = 0;
  const caller = await tcp((socket) => {
    connections++;
    socket.on('close', () => closed.resolve()).once('data', () => asked.resolve());
  });
  await expect(caller.post('x', AbortSignal.abort(new Error('never began')))).rejects.toThrow('never began');
  expect(connections).toBe(0);
  const stop = new AbortController();
  const running = caller.post('x', stop.signal);
  await asked.promise;
  stop.abort(new Error('enough waited'));
  await expect(running).rejects.toThrow('enough waited');
  await closed.promise;
});

test('who has enough while the answer comes hears no more of it', async () => {
  const caller = await tcp((socket) =>
    socket.once('data', () => socket.write(`${CHUNKED}1\r\na\r\n1\r\nb\r\n0\r\n\r\n`)),
  );
  const stop = new AbortController();
  const heard: string[] = [];
  const reader = {
    onData: (chunk: Buffer) => {
      heard.push(String(chunk));
      stop.abort(new Error('enough'));
    },
    onEnd: () => heard.push('end'),
  };
  const call = { ...POST, body: '', signal: stop.signal };
  await expect(caller.client.send(caller.url, call, reader)).rejects.toThrow('enough');
  expect(heard).toEqual(['a']);
});
