/** What is read of a server's bytes: the same however they are cut, and never anything that another reader would read otherwise. */
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MalformedResponse, ResponseParser, type Head } from '../../gateway/upstream/http1/response.ts';

interface Outcome {
  readonly head: Head | undefined;
  readonly body: string;
  readonly done: boolean;
  readonly keepAlive: boolean;
  /** Bytes behind it. */
  readonly more: number;
}

/** Headers in turn with their values, as {@link Head} has them. */
function joined(raw: readonly string[]): object {
  const headers = { __proto__: null } as unknown as Record<string, string>;
  for (let at = 0; at < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at]?.toLowerCase(), raw[at + 1]];
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return headers;
}

/** @throws MalformedResponse for what is no response */
function readAll(pieces: readonly Buffer[], ends = false): Outcome {
  const chunks: Buffer[] = [];
  let told = 0;
  const parser = new ResponseParser({ onData: (chunk) => chunks.push(Buffer.from(chunk)), onEnd: () => told++ });
  let more = 0;
  for (const piece of pieces) more += parser.push(piece);
  if (ends) parser.end();
  const { head, done, keepAlive } = parser;
  expect(told).toBe(done ? 1 : 0);
  return { head, body: Buffer.concat(chunks).toString('latin1'), done, keepAlive, more };
}

const read = (text: string, ends = false): Outcome => readAll([Buffer.from(text, 'latin1')], ends);

const GOOD: Readonly<Record<string, string>> = {
  'a body of known length': 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello',
  'no body': 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n',
  'a status that never has one': 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
  'no reason for the status': 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok',
  chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n',
  'chunks with a trailer': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\nC: d\r\n\r\n',
  'what is no answer yet':
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'the last of a connection': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
  'an old server': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
};

describe('however it is cut', () => {
  for (const [what, text] of Object.entries(GOOD))
    test(what, () => {
      const bytes = Buffer.from(text, 'latin1');
      const whole = readAll([bytes]);
      expect(whole).toMatchObject({ done: true, more: 0 });
      for (let cut = 1; cut < bytes.length; cut++)
        expect(readAll([bytes.subarray(0, cut), bytes.subarray(cut)]), `at ${cut}`).toEqual(whole);
      expect(readAll(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole);
      expect(read(`${text}HTTP/1.1 200 OK\r\n`).more).toBe(17);
    });
});

test('what it says', () => {
  expect(read(GOOD['chunks'] ?? '')).toMatchObject({ body: 'hello!', keepAlive: true, head: { status: 200 } });
  expect(read(GOOD['what is no answer yet'] ?? '').head).toMatchObject({ status: 200 });
  expect(read(GOOD['the last of a connection'] ?? '').keepAlive).toBe(false);
  expect(read(GOOD['an old server'] ?? '').keepAlive).toBe(false);
  const twice = 'HTTP/1.1 200 OK\r\nA: 1\r\na:\t2 \r\n__proto__: x\r\nContent-Length: 0\r\n\r\n';
  expect({ ...read(twice).head?.headers }).toEqual({ a: '1, 2', ['__proto__']: 'x', 'content-length': '0' });
});

test('one without a length ends with the connection, and only then', () => {
  const text = 'HTTP/1.1 200 OK\r\n\r\nuntil the';
  expect(read(text)).toMatchObject({ done: false, body: 'until the' });
  expect(read(text, true)).toMatchObject({ done: true, body: 'until the', keepAlive: false });
  // Half of what was promised is nothing.
  expect(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel', true).done).toBe(false);
  expect(read('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n', true).done).toBe(false);
  expect(read('HTTP/1.1 200 OK\r\nContent', true).done).toBe(false);
});

describe('response smuggling: what two readers could understand differently is refused', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';
  const bad: Readonly<Record<string, string>> = {
    'a length and chunks': `${chunked}Content-Length: 5\r\n\r\n0\r\n\r\n`,
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
    'a length that is no number': 'HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello',
    'a negative length': 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello',
    'an encoding that does not end with chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n',
    'chunked twice': `${chunked}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'chunks from an old server': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a space before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello',
    'a folded header': 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n',
    'a line without a colon': 'HTTP/1.1 200 OK\r\nhello\r\nContent-Length: 0\r\n\r\n',
    'a header without a name': 'HTTP/1.1 200 OK\r\n: b\r\nContent-Length: 0\r\n\r\n',
    'line ends of its own': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    'one line end of its own': 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\nContent-Length: 0\r\n\r\n',
    'a return alone': 'HTTP/1.1 200 OK\r\nA: b\rC: d\r\nContent-Length: 0\r\n\r\n',
    'a character that no header holds': 'HTTP/1.1 200 OK\r\nA: \u0000\r\nContent-Length: 0\r\n\r\n',
    'another protocol': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
    'no status': 'HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n',
    'a version that there is not': 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
    'what is no HTTP': '{"jsonrpc":"2.0","id":1,"result":{}}\r\n\r\n',
    'a length with a space that is none': 'HTTP/1.1 200 OK\r\nContent-Length:\u00a05\r\n\r\nhello',
    'an encoding with a space that is none': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\u00a0\r\n\r\n0\r\n\r\n',
    'a chunk of no length': `${chunked}\r\n\r\n`,
    'a chunk of a length that is no number': `${chunked}\r\n0x5\r\nhello\r\n0\r\n\r\n`,
    'a chunk of a negative length': `${chunked}\r\n-1\r\nhello\r\n0\r\n\r\n`,
    'a chunk of another length': `${chunked}\r\n4\r\nhello\r\n0\r\n\r\n`,
    'a chunk that ends its line otherwise': `${chunked}\r\n5\nhello\r\n0\r\n\r\n`,
    'more than fits into a head': `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(17_000)}\r\n\r\n`,
    'a head without an end': `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(17_000)}`,
    'a line of chunks without an end': `${chunked}\r\n5;${'b'.repeat(2_000)}`,
    'a trailer without an end': `${chunked}\r\n0\r\n${`A: ${'b'.repeat(900)}\r\n`.repeat(20)}`,
  };
  for (const [what, text] of Object.entries(bad))
    test(what, () => {
      expect(() => read(text)).toThrow(MalformedResponse);
      expect(() => readAll(Array.from(Buffer.from(text, 'latin1'), (byte) => Buffer.from([byte])))).toThrow(
        MalformedResponse,
      );
    });
});

test('one that was given up is told no more, and is never done', () => {
  const told: string[] = [];
  const parser: ResponseParser = new ResponseParser({
    onData: (chunk) => {
      told.push(chunk.toString());
      parser.abandon();
    },
    onEnd: () => told.push('end'),
  });
  parser.push(Buffer.from(GOOD['chunks'] ?? ''));
  expect(told).toEqual(['hello']);
  expect(parser.done).toBe(false);
});

test('whatever a reader throws ends it', () => {
  const parser = new ResponseParser({
    onHead: () => {
      throw new RangeError('enough');
    },
  });
  expect(() => parser.push(Buffer.from(GOOD['chunks'] ?? ''))).toThrow('enough');
});

describe('beside the reader that comes with Node', () => {
  const name = fc.constantFrom('A', 'Content-Type', 'X-Y', 'Set-Cookie', 'Mcp-Session-Id', 'Keep-Alive', '__proto__');
  const value = fc.string({ unit: fc.constantFrom(...'abc ,;="\té\u00a0/0'), maxLength: 12 });
  const header = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(name, value).map(([key, text]) => `${key}: ${text}`) },
    fc.constantFrom('Content-Length: 3', 'Transfer-Encoding: chunked', 'Connection: close', 'A : b', ' folded', ''),
    fc.constantFrom('Content-Length:\u00a03', 'Transfer-Encoding:\tCHUNKED ', 'Transfer-Encoding: chunked\u00a0'),
  );
  const chunks = fc
    .array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 30 }), { maxLength: 4 })
    .map((parts) => [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join(''));
  const text = fc
    .tuple(
      fc.constantFrom('HTTP/1.1 200 OK', 'HTTP/1.1 404', 'HTTP/1.0 200 OK', 'HTTP/1.1 204 No', 'HTTP/1.1 999 So'),
      fc.array(header, { maxLength: 4 }),
      fc.oneof(
        fc.string({ unit: 'binary-ascii', maxLength: 40 }).map((body) => [`Content-Length: ${body.length}`, body]),
        chunks.map((body) => ['Transfer-Encoding: chunked', body]),
        fc.string({ unit: 'binary-ascii', maxLength: 40 }).map((body) => ['B: c', body]),
      ),
    )
    .map(([status, headers, [framing, body]]) => [status, ...headers, framing, '', body].join('\r\n'));
  /** Mostly as it should be, and sometimes with one or two characters that are not. */
  const bytes = fc
    .tuple(text, fc.array(fc.tuple(fc.nat(), fc.constantFrom('\r', '\n', ' ', ':', '\0', '\x7f', '0', ''))), fc.nat(3))
    .map(([whole, slips, clean]) =>
      (clean === 0 ? slips.slice(0, 2) : []).reduce((so, [place, slip]) => {
        const at = place % (so.length + 1);
        return so.slice(0, at) + slip + so.slice(at + 1);
      }, whole),
    );

  test('what is taken for an answer is the same one there', { timeout: 60_000 }, async () => {
    let answer = Buffer.alloc(0);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(answer));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const there = async (): Promise<{ status: number | undefined; headers: object; body: string }> => {
      const asked = request({ host: '127.0.0.1', port, agent: false }).end();
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      response.setEncoding('latin1');
      let body = '';
      for await (const part of response) body += part as string;
      return { status: response.statusCode, headers: joined(response.rawHeaders), body };
    };
    const counts = { taken: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(bytes, async (whole) => {
        answer = Buffer.from(whole, 'latin1');
        let here: Outcome;
        try {
          here = readAll([answer], true);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedResponse);
          counts.refused++;
          return;
        }
        // What has more behind it is the last that is read of a connection.
        if (!here.done || here.more > 0) return;
        counts.taken++;
        const other = await there();
        expect([other.status, other.body]).toEqual([here.head?.status, here.body]);
        expect(here.head?.headers).toEqual(other.headers);
      }),
      { numRuns: 2_000, interruptAfterTimeLimit: 20_000 },
    );
    expect(counts.taken).toBeGreaterThan(100);
    expect(counts.refused).toBeGreaterThan(100);
  });

  test('that one reads what is read here', async () => {
    // The oracle itself is asked in full once, so that a change of it is seen.
    const server = createServer((socket) => socket.once('data', () => socket.end(GOOD['chunks'] ?? '')));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const asked = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent: false }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect((await buffer(response)).toString()).toBe('hello!');
  });
});
