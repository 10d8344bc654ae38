/** Requests to servers over connections that are kept: whose answer is whose, what is sent twice (nothing), and what ends. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HttpClient } from '../../gateway/upstream/http1/client.ts';
import { requestBytes } from '../../gateway/upstream/http1/request.ts';
import { NotDelivered } from '../../gateway/upstream/link.ts';
import { LOCALHOST } from './fixtures/localhost.ts';
import { opened } from '../helpers/opened.ts';

const POST = { method: 'POST', headers: { 'Content-Type': 'text/plain' } } as const;

class Caller {
  readonly client: HttpClient;
  readonly url: URL;

  constructor(url: string) {
    this.url = new URL(url);
    this.client = new HttpClient(this.url, false);
    onTestFinished(() => this.client.close());
  }

  /** @returns status and body */
  async post(body: string, signal?: AbortSignal): Promise<[number, string]> {
    const parts: Buffer[] = [];
    const reader = { onData: (chunk: Buffer) => void parts.push(Buffer.from(chunk)) };
    const { status } = await this.client.send(this.url, { ...POST, body, signal }, reader);
    return [status, Buffer.concat(parts).toString()];
  }
}

async function http(listener: RequestListener): Promise<Caller> {
  return new Caller(`${await opened(createServer(listener))}/a%20b?c=d`);
}

/** A server that says what it is told to, byte by byte. @param serve is called for each connection */
async function tcp(serve: (socket: Socket, number: number) => void): Promise<Caller> {
  const sockets = new Set<Socket>();
  let number = 0;
  const server = createTcp((socket) => {
    sockets.add(socket.on('error', () => {}));
    serve(socket, ++number);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Caller(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const answer = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
/** The next turn of the event loop, after what has come in was read. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

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

test('without a body there is no length', async () => {
  const caller = await http((request, response) => response.end(JSON.stringify(request.headers)));
  const parts: string[] = [];
  for (const method of ['GET', 'DELETE'] as const)
    await caller.client.send(
      caller.url,
      { method, headers: {} },
      { onData: (chunk) => void parts.push(String(chunk)) },
    );
  for (const part of parts) expect(JSON.parse(part)).not.toHaveProperty('content-length');
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

  test('an answer that is none', async () => {
    const caller = await tcp((socket) => socket.once('data', () => socket.write('SSH-2.0-OpenSSH\r\n\r\n')));
    await expect(caller.post('x')).rejects.toThrow('cannot be read');
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
      expect(() => requestBytes('there', '/', { method: 'POST', headers, body: '' })).toThrow(TypeError);
    });

  test('all others are sent as they are, a character a byte', () => {
    const bytes = requestBytes('there', '/x', { method: 'POST', headers: { 'X-Name': 'Zoë' }, body: 'Zoë' });
    expect(bytes.toString('latin1')).toMatch(
      /^POST \/x HTTP\/1\.1\r\nHost: there\r\nVia: [^\r]+\r\nX-Name: Zoë\r\nContent-Length: 4\r\n\r\nZoÃ«$/,
    );
  });
});

test('over TLS: only whom a known authority vouches for; the second connection goes on where the first was', async () => {
  const reused: boolean[] = [];
  const server = createSecure({ ...LOCALHOST }, (request, response) => {
    reused.push((request.socket as TLSSocket).isSessionReused());
    response.setHeader('Connection', 'close');
    request.pipe(response);
  });
  const { port } = new URL(await opened(server));
  const url = `https://127.0.0.1:${port}/`;
  await expect(new Caller(url).post('secret')).rejects.toMatchObject({
    cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
  });
  expect(reused).toEqual([]);
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, LOCALHOST.cert]);
  onTestFinished(() => setDefaultCACertificates(before));
  for (const host of ['127.0.0.1', 'localhost']) {
    const caller = new Caller(`https://${host}:${port}/`);
    expect(await caller.post('x'.repeat(200_000))).toEqual([200, 'x'.repeat(200_000)]);
    await turn();
    expect(await caller.post('again')).toEqual([200, 'again']);
  }
  expect(reused).toEqual([false, true, false, true]);
});
