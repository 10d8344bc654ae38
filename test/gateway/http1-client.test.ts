/** Requests to servers over connections that are kept: whose answer is whose, what is sent twice (nothing), and what ends. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Body } from '../../gateway/upstream/http1/body.ts';
import { HttpClient } from '../../gateway/upstream/http1/client.ts';
import { RequestWriter } from '../../gateway/upstream/http1/request.ts';
import type { Head } from '../../gateway/upstream/http1/response.ts';
import { NotDelivered } from '../../gateway/upstream/link.ts';
import { eventually } from '../helpers/until.ts';
import { Caller, http, POST, tcp, turn } from './helpers/callers.ts';

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const answer = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

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
  const gone = new AbortController();
  const left = Array.from({ length: 500 }, () => caller.post('never mind', gone.signal));
  const answers = sent.map((body) => caller.post(body));
  gone.abort(new Error('left'));
  expect((await Promise.allSettled(left)).every(({ status }) => status === 'rejected')).toBe(true);
  expect(await Promise.all(answers)).toEqual(sent.map((body) => [200, body]));
  expect(ports.size).toBeLessThanOrEqual(512);
});

describe('what is not delivered, and what may have been', () => {
  test('nobody there', async () => {
    const caller = await tcp(() => {});
    const { port } = caller.url;
    const free = createTcp().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const nobody = new Caller(`http://127.0.0.1:${(free.address() as AddressInfo).port}/`);
    await new Promise((resolve) => free.close(resolve));
    await expect(nobody.post('x')).rejects.toBeInstanceOf(NotDelivered);
    expect(port).not.toBe(nobody.url.port);
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

describe('a connection is used again only if nothing speaks against it', () => {
  /** @returns how many connections two calls take, one after the other */
  async function takes(respond: (socket: Socket) => void, between?: () => Promise<unknown>): Promise<number> {
    let connections = 0;
    const caller = await tcp((socket, number) => {
      connections = number;
      socket.on('data', () => respond(socket));
    });
    expect(await caller.post('one')).toEqual([200, 'right']);
    await between?.();
    expect(await caller.post('two')).toEqual([200, 'right']);
    return connections;
  }

  test('it is', async () => {
    expect(await takes((socket) => socket.write(answer('right')))).toBe(1);
    const longer = answer('right', 'Keep-Alive: timeout=600\r\n');
    expect(await takes((socket) => socket.write(longer))).toBe(1);
  });

  test('the server says that it was the last', async () => {
    expect(await takes((socket) => socket.write(answer('right', 'Connection: close\r\n')))).toBe(2);
    // The time that it gives is over before a request could be there.
    expect(await takes((socket) => socket.write(answer('right', 'Keep-Alive: timeout=1\r\n')))).toBe(2);
  });

  test('the server hung up meanwhile', async () => {
    // Without having said so, and while the next call is on its way already.
    expect(await takes((socket) => socket.end(answer('right')))).toBe(2);
  });

  /** Tells the server to do something while the connection is idle, and waits for so many turns. */
  const meanwhile = async (act: (socket: Socket) => void, turns: number): Promise<number> => {
    let last: Socket | undefined;
    const respond = (socket: Socket): void => void (last = socket).write(answer('right'));
    return takes(respond, async () => {
      act(last as Socket);
      for (let at = 0; at < turns; at++) await turn();
    });
  };

  test('what has ended a moment ago is not sent on: nobody could say what became of that', async () => {
    // In the first turn nothing has been read yet of what the server did.
    for (let turns = 2; turns < 8; turns++) {
      expect(await meanwhile((socket) => socket.end(), turns)).toBe(2);
      expect(await meanwhile((socket) => socket.write(answer('wrong')), turns)).toBe(2);
      expect(await meanwhile((socket) => socket.resetAndDestroy(), turns)).toBe(2);
    }
  });

  test('response queue poisoning: an answer too many, at once or later, is nobody’s answer', async () => {
    expect(await takes((socket) => socket.write(answer('right') + answer('wrong')))).toBe(2);
    const closed = Promise.withResolvers<void>();
    let isFirst = true;
    const twice = (socket: Socket): void => {
      socket.on('close', () => closed.resolve()).write(answer('right'));
      if (isFirst) setTimeout(() => socket.write(answer('wrong')), 20);
      isFirst = false;
    };
    expect(await takes(twice, () => closed.promise)).toBe(2);
  });

  test('the server answered before it had heard the request to its end', async () => {
    let connections = 0;
    const caller = await tcp((socket, number) => {
      connections = number;
      socket.once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
      });
    });
    expect(await caller.post('x'.repeat(20_000_000))).toEqual([413, '']);
    await turn();
    expect(await caller.post('y')).toEqual([413, '']);
    expect(connections).toBe(2);
  });
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

test('a connection holds on to nothing of what went over it', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const caller = await http((request, response) => request.pipe(response));
  const ask = async (): Promise<WeakRef<object>> => {
    const reader = {};
    await caller.client.send(caller.url, { ...POST, body: 'x' }, reader);
    return new WeakRef(reader);
  };
  const readers: WeakRef<object>[] = [];
  for (let at = 0; at < 3; at++) readers.push(await ask());
  await eventually(() => {
    collect();
    return readers.every((reader) => reader.deref() === undefined);
  });
});

test.runIf(existsSync('/proc/net/tcp'))(
  'a stream that is silent for hours notices when the other side is gone',
  async () => {
    const asked = Promise.withResolvers<Socket>();
    const caller = await tcp((socket) => socket.once('data', () => asked.resolve(socket)));
    const stop = new AbortController();
    const running = caller.post('x', stop.signal);
    const { remotePort = 0, localPort = 0 } = await asked.promise;
    const address = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    // Of connections that stand; what is left of others may have had the same ports.
    const ours = `${address(remotePort)} ${address(localPort)} 01 `;
    const row = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .find((line) => line.includes(ours));
    // The kernel's timer of that socket: 2 is keepalive.
    expect(row?.trim().split(/\s+/)[5]).toMatch(/^02:/);
    stop.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  },
);

test('a body in one piece, in whatever pieces it comes, and never more than is allowed', () => {
  const head = (length?: number): Head => ({
    status: 200,
    headers: length === undefined ? {} : { 'content-length': String(length) },
  });
  for (const length of [undefined, 10, 3, 1_000_000]) {
    const body = new Body(10);
    body.onHead(head(length));
    for (const byte of Buffer.from('0123456789')) body.onData(Buffer.from([byte]));
    expect(String(body.bytes)).toBe('0123456789');
    expect(() => body.onData(Buffer.from('x'))).toThrow(RangeError);
    // Of a second answer nothing is left of the first.
    body.onHead(head());
    expect(body.bytes).toHaveLength(0);
  }
});

describe('request splitting: a header that would end its line, or say what is not its to say, is refused', () => {
  const bad = {
    'a line end': { A: 'b\r\nContent-Length: 0' },
    'half a line end': { A: 'b\nc' },
    'a character that no header holds': { A: '\u0000' },
    'a character beyond a byte': { A: '🌍' },
    'a name with a line end': { 'A\r\nB': 'c' },
    'no name': { '': 'x' },
    'a length': { 'content-length': '5' },
    'an encoding': { 'Transfer-Encoding': 'chunked' },
    'another host': { Host: 'elsewhere' },
    'what becomes of the connection': { Connection: 'upgrade' },
  };
  for (const [what, headers] of Object.entries(bad))
    test(what, () => {
      const writer = new RequestWriter('there');
      const call = { method: 'POST', headers } as const;
      // Nor is it the second time.
      for (let at = 0; at < 2; at++) expect(() => writer.write('/', call)).toThrow(TypeError);
    });

  test('all others are sent as they are, a character a byte', () => {
    const bytes = new RequestWriter('there').write('/x', { method: 'POST', headers: { 'X-Name': 'Zoë' }, body: 'Zoë' });
    expect(bytes.toString('latin1')).toMatch(
      /^POST \/x HTTP\/1\.1\r\nHost: there\r\nVia: [^\r]+\r\nX-Name: Zoë\r\nContent-Length: 4\r\n\r\nZoÃ«$/,
    );
  });
});
