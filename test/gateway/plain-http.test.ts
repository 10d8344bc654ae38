/** What is read of a client's bytes without node:http: what that would have read, however they are cut. All else is left to it. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HttpResponse } from '../../gateway/http/message.ts';
import { clock, isPlain, ours, post, quiet, still, Talk, theirs, type Answer, type Door } from './helpers/talks.ts';

const SOUND = post('{"jsonrpc":"2.0","id":1,"method":"ping"}', 'Content-Type: application/json\r\n');

interface Part {
  readonly answers: readonly Answer[];
  readonly isOver: boolean;
}

interface Story {
  readonly seen: readonly object[];
  /** What came of it, and then of one more request. */
  readonly parts: readonly Part[];
}

/** Each on a connection of its own, with a request behind it when nothing more is to be heard. @param all each in its pieces */
async function told(door: Door, all: readonly string[][], pass: (ms: number) => void): Promise<Story[]> {
  const talks = await Promise.all(all.map(() => Talk.with(door)));
  const part = async (pieces: readonly string[][]): Promise<Part[]> => {
    for (let at = 0; at < Math.max(...pieces.map(({ length }) => length)); at++) {
      talks.forEach((talk, index) => talk.say(pieces[index]?.[at] ?? ''));
      await quiet(talks);
    }
    // What may be half a request is left to node:http after a while.
    pass(10_000);
    await quiet(talks);
    return talks.map(({ answers, isOver }) => ({ answers, isOver }));
  };
  const [first, second] = [await part(all), await part(all.map(() => [SOUND]))];
  for (const { client } of talks) client.destroy();
  return talks.map(({ seen }, at) => ({
    seen: seen.map(({ method, url, headers }) => ({ method, url, headers: { ...headers } })),
    parts: [first[at] as Part, second[at] as Part],
  }));
}

/** node:http throws away what it has not answered yet when something broken comes behind it in one piece. Here that is answered first. */
function asThere(mine: Part, { answers, isOver }: Part): Part {
  const more = mine.answers.length - answers.length;
  const last = answers.at(-1);
  if (more <= 0 || !isOver || last?.body !== '' || last.headers.join() !== 'connection: close') return mine;
  return { ...mine, answers: mine.answers.toSpliced(answers.length - 1, more) };
}

/** @returns all answers */
async function compare(doors: readonly [Door, Door], ways: string[][], pass: (ms: number) => void) {
  const [mine, others] = await Promise.all([told(doors[0], ways, pass), told(doors[1], ways, () => {})]);
  for (const [at, pieces] of ways.entries()) {
    const [one, other] = [mine[at] as Story, others[at] as Story];
    const parts = one.parts.map((part, index) => asThere(part, other.parts[index] as Part));
    expect({ seen: one.seen, parts }, JSON.stringify(pieces)).toEqual(other);
  }
  return mine.flatMap(({ parts }) => parts[1]?.answers ?? []);
}

const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const mostly = (usual: string, ...others: string[]): fc.Arbitrary<string> =>
  fc.oneof(often(20, fc.constant(usual)), fc.constantFrom(...others));
const METHOD = mostly('POST', 'GET', 'post', 'Post', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'CONNECT', 'FOO', ' POST', '');
const VERSION = mostly(
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/01.1',
  'HTTP',
  '',
);
const TARGET = fc.oneof(
  often(12, fc.constantFrom('/mcp', '/a%20b?c=d#e', '/!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', '/?a?b#c#d', '//evil/mcp')),
  fc.constantFrom('/%', '/%zz', '/\u00e9', '/\0', '/\u007f', '/a b', '/\t', 'http://evil/mcp', '*', '', 'evil:443'),
);
const LINE = fc.oneof(
  often(9, fc.constantFrom('Accept: application/json, text/event-stream', 'Mcp-Session-Id: abc', 'A:', 'B: ', 'C:d')),
  often(9, fc.constantFrom('Content-Type:   application/json  ', 'User-Agent: a/1 (b; c) "d"', '-: -', '1: 2', 'X: ~')),
  often(3, fc.constantFrom('Connection: close', 'Connection: keep-alive', 'Connection: Keep-Alive', 'Connection:')),
  fc.constantFrom('Connection: upgrade', 'Connection: keep-alive, close', 'Connection: Upgrade, HTTP2-Settings'),
  fc.constantFrom('Expect: 100-continue', 'Expect: 100-Continue', 'Upgrade: websocket', 'Upgrade: h2c'),
  fc.constantFrom('Trailer: X', 'TE: trailers', 'HTTP2-Settings: AAMAAABk', 'Keep-Alive: timeout=5', 'Host: other'),
  fc.constantFrom('A_B: c', '__proto__: x', 'constructor: x', 'toString: x', 'hasOwnProperty: x', 'valueOf: x'),
  fc.constantFrom('X: \u00e9', 'X: \0', 'X: \u007f', 'X: \u001b', '\u00e9: x', 'X:\ty', 'X: y\t', 'X: a\tb', 'X: a\rb'),
  fc.constantFrom('X : y', ' X: y', '\tX: y', 'X: y\r\n folded', 'X: y\r\n\tfolded', 'no colon', ': x', ':', 'X Y: z'),
  fc.constantFrom('X: 1', 'x: 2', 'Authorization: Bearer a', 'authorization: Bearer b', 'Cookie: a=b', 'Cookie: c=d'),
  fc.integer({ min: 16_200, max: 16_400 }).map((length) => `Long: ${'x'.repeat(length)}`),
);
const BODY = fc.oneof(
  often(9, fc.constantFrom('{"jsonrpc":"2.0","method":"x"}', '', 'x', 'gr\u00fc\u00df\0', '\r\n\r\n', '0\r\n\r\n')),
  often(9, fc.constantFrom(SOUND, 'GET /other HTTP/1.1\r\n\r\n', 'POST /other HTTP/1.1\r\nContent-Length: 0\r\n\r\n')),
  fc.integer({ min: 60_000, max: 140_000 }).map((length) => 'z'.repeat(length)),
);
const VALUES = ['+1', '1 2', ' ', '', '-1', '0x1', '1e1', '1, 1', '9'.repeat(20), '9'.repeat(10), '9'.repeat(9), '\t1'];
const ENCODINGS = [
  'chunked',
  'Chunked',
  ' chunked ',
  '\tchunked',
  'chunked, identity',
  'gzip, chunked',
  'xchunked',
  '',
];

/** Lines that say how long it is: rightly, more often than not. */
const FRAMED = fc.tuple(BODY, fc.nat(90)).map(([body, at]): [string[], string] => {
  const right = `Content-Length: ${body.length}`;
  const chunks = `${body === '' ? '' : `${body.length.toString(16)}\r\n${body}\r\n`}0\r\n\r\n`;
  const others: [string[], string][] = [
    [[right, right], body],
    [[right, `Content-Length: ${body.length + 1}`], body],
    [[`content-length: 00${body.length}`], body],
    [[`Content-Length : ${body.length}`], body],
    [[`Content_Length: ${body.length}`], body],
    [[`Content-Length: ${Math.max(0, body.length - 1)}`], body],
    [[`Content-Length: ${body.length + 1}`], body],
    [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], chunks],
    [[], body],
    ...VALUES.map((value): [string[], string] => [[`Content-Length:${value}`], body]),
    ...ENCODINGS.map((value): [string[], string] => [[`Transfer-Encoding: ${value}`], chunks]),
    ...ENCODINGS.map((value): [string[], string] => [[right, `Transfer-Encoding: ${value}`], chunks]),
  ];
  return others[at] ?? [[right], body];
});

/** Mostly as it should be, and sometimes with line ends or characters that are not. */
const REQUEST = fc
  .tuple(
    fc.tuple(METHOD, TARGET, VERSION).map((parts) => parts.join(' ')),
    fc.tuple(mostly('Host: localhost', '', 'host:x', 'Host: a, b'), fc.array(LINE, { maxLength: 3 }), fc.boolean()),
    FRAMED,
    fc.array(mostly('\r\n', '\n', '\r', '\r\r\n', ' \r\n', ''), { minLength: 9, maxLength: 9 }),
    fc.tuple(fc.nat(), fc.constantFrom('\r', '\n', ' ', '\t', ':', '\0', '\u007f', '\u00ff', '0', '')),
    fc.nat(9),
  )
  .map(([first, [host, lines, isLast], [lengths, body], ends, [place, slip], clean]) => {
    const headers = isLast ? [...lines, ...lengths] : [...lengths, ...lines];
    const all = [first, ...[host].filter(Boolean), ...headers, ''];
    const head = all.map((line, at) => line + (clean === 0 ? ends[at] : '\r\n')).join('');
    const at = place % head.length;
    return (clean === 1 ? head.slice(0, at) + slip + head.slice(at + 1) : head) + body;
  });

test('beside node:http: whatever comes, whole, in pieces or with more behind it, is understood and answered the same', async () => {
  const pass = clock();
  const doors: [Door, Door] = [await ours(), await theirs()];
  const cuts = fc.array(fc.tuple(fc.nat(), fc.boolean()), { minLength: 1, maxLength: 3 });
  const cases = fc.sample(fc.tuple(REQUEST, cuts), { numRuns: 1_500, seed: 9_112 });
  const ways = cases.map(([text, places]) => {
    // Of a long one the head is cut as well.
    const at = places.map(([place, isHead]) => place % (isHead ? Math.min(200, text.length) : text.length));
    const [a = 0, b = a, c = b] = at.sort((x, y) => x - y);
    return [[text], [text.slice(0, a), text.slice(a, b), text.slice(b, c), text.slice(c)], [text + SOUND]];
  });
  const counts = { 100: 0, 200: 0, 400: 0, 431: 0 };
  for (let from = 0; from < ways.length; from += 100)
    for (const { status } of await compare(doors, ways.slice(from, from + 100).flat(), pass))
      if (status in counts) counts[status as keyof typeof counts]++;
  // Not all too broken, nor too sound.
  const plain = doors[0].seen.filter(isPlain).length;
  expect(plain).toBeGreaterThan(2_000);
  expect(doors[0].seen.length - plain).toBeGreaterThan(1_000);
  expect(counts[200]).toBeGreaterThan(4_000);
  expect(counts[400]).toBeGreaterThan(1_000);
  expect(Math.min(counts[100], counts[431])).toBeGreaterThan(5);
  expect(doors[1].seen.filter(isPlain)).toEqual([]);
});

describe('request smuggling: what two readers could understand differently is what node:http makes of it', () => {
  const more = '0\r\n\r\nPOST /smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n';
  const rows: Readonly<Record<string, string>> = {
    'a length, and chunks': `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${more}`,
    'chunks, and a length': `Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${more}`,
    'chunks in odd letters': `Transfer-Encoding: cHuNkEd\r\nContent-Length: 5\r\n\r\n${more}`,
    'chunks by a name in odd letters': `tRANSFER-eNCODING: chunked\r\nContent-Length: 5\r\n\r\n${more}`,
    'chunks that are not the last encoding': `Transfer-Encoding: chunked, x\r\nContent-Length: 5\r\n\r\n${more}`,
    'chunks on a line that goes on': `Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n${more}`,
    'chunks behind a space before the colon': `Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n${more}`,
    'chunks behind a bare line feed': `Content-Length: 5\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n${more}`,
    'chunks behind a bare return': `Content-Length: 5\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n${more}`,
    'chunks behind a character that is none': `Content-Length: 5\r\nX: \0\r\nTransfer-Encoding: chunked\r\n\r\n${more}`,
    'a name that only looks like a length': `Content_Length: 5\r\nContent-Length: 0\r\n\r\n${more}`,
    'two lengths': `Content-Length: 5\r\nContent-Length: 0\r\n\r\n${more}`,
    'the same length twice': `Content-Length: 5\r\ncontent-length: 5\r\n\r\n${more}`,
    'a list of lengths': `Content-Length: 5, 5\r\n\r\n${more}`,
    'a length with a sign': `Content-Length: +5\r\n\r\n${more}`,
    'a length that is no decimal': `Content-Length: 0x5\r\n\r\n${more}`,
    'a length that begins with zeros': `Content-Length: 0000000005\r\n\r\n${more}`,
    'a length with a space that is none': `Content-Length:\u00a05\r\n\r\n${more}`,
    'a length in the trailer of another': `Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n${more}`,
    'a length, and what is never fulfilled': `Expect: x\r\nContent-Length: 5\r\n\r\n${more}`,
    'no length at all': `\r\n${more}`,
    'a head that ends with bare line feeds': `Content-Length: 5\n\n${more}`,
    'a head that ends with one': `Content-Length: 5\r\n\n${more}`,
    'another request within the body': `Content-Length: ${more.length}\r\n\r\n${more}`,
    'another request behind the body': `Content-Length: 5\r\n\r\n${more}`,
  };
  test.each(Object.entries(rows))('%s', async (_, text) => {
    const pass = clock();
    const doors: [Door, Door] = [await ours(), await theirs()];
    const whole = `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${text}`;
    const cut = Array.from(whole, (__, at) => [whole.slice(0, at), whole.slice(at)]);
    expect((await compare(doors, cut, pass)).length).toBeGreaterThanOrEqual(whole.length);
  });
});

describe('in which pieces it comes', () => {
  const BODY_LENGTH = 23;
  const cut = (text: string, ...places: number[]): string[] =>
    [0, ...places].map((from, at) => text.slice(from, places[at]));
  const rows: Readonly<Record<string, [pieces: string[], plain: boolean[]]>> = {
    'all at once': [[SOUND], [true]],
    'head and body': [cut(SOUND, SOUND.indexOf('{')), [true]],
    'half a head, and the rest': [cut(SOUND, 30), [true]],
    'half a body, and the rest': [cut(SOUND, SOUND.length - BODY_LENGTH), [true]],
    'one and a half, and the rest': [cut(SOUND + SOUND, SOUND.length + 30), [true, true]],
    'in three pieces it is left to node:http, and so is what follows': [
      [...cut(SOUND, 30, 60), SOUND],
      [false, false],
    ],
    'a body that is large': [[post('x'.repeat(300_000))], [false]],
    'an empty body': [[post('')], [true]],
    'after a GET': [
      ['GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', SOUND, SOUND],
      [false, false, false],
    ],
    'before a GET, and after it': [
      [SOUND, 'GET / HTTP/1.1\r\n\r\n', SOUND],
      [true, false, false],
    ],
    'with a GET behind it': [[`${SOUND}GET / HTTP/1.1\r\n\r\n${SOUND}`], [true, false, false]],
  };
  test.each(Object.entries(rows))('%s', async (_, [pieces, plain]) => {
    const door = await ours();
    const talk = await Talk.with(door);
    for (const piece of pieces) await talk.ask(piece);
    expect(talk.answers.map(({ status }) => status)).toEqual(plain.map(() => 200));
    expect(talk.seen.map(isPlain)).toEqual(plain);
    const last = pieces.join('').split('\r\n\r\n').at(-1);
    expect(JSON.parse(talk.answers.at(-1)?.body ?? '')).toMatchObject({ method: 'POST', body: last });
  });
});

test('many at once on one connection are handled one by one, and answered in their order', async () => {
  let running = 0;
  let most = 0;
  const door = await ours((request, response) => {
    most = Math.max(most, ++running);
    const answered = (): void => {
      running--;
      response.end(request.url);
    };
    if (Number(request.headers['content-length']) % 3 === 0) setImmediate(answered);
    else answered();
  });
  const talk = await Talk.with(door);
  const urls = Array.from({ length: 200 }, (_, at) => `/${at}`);
  await talk.ask(urls.map((url, at) => post('x'.repeat(at)).replace('/mcp', url)).join(''));
  expect(talk.answers.map(({ body }) => body)).toEqual(urls);
  expect(talk.seen.every(isPlain)).toBe(true);
  expect(most).toBe(1);
});

test('while one is answered no more than a piece or two are read of what comes behind it', async () => {
  const running: HttpResponse[] = [];
  const door = await ours((_, response) => void running.push(response));
  const talk = await Talk.with(door);
  talk.say(post('x'.repeat(10_000)).repeat(2_000));
  await still(talk);
  expect(running).toHaveLength(1);
  expect(talk.client.writableLength).toBeGreaterThan(0);
  expect(talk.server.bytesRead).toBeLessThan(256 * 1024);
  // It is gone on with when there is room.
  const before = talk.server.bytesRead;
  for (let at = 0; at < 50; at++) {
    running[at]?.end();
    await still(talk);
  }
  expect(running).toHaveLength(51);
  expect(talk.server.bytesRead).toBeGreaterThan(before);
  expect(talk.server.bytesRead).toBeLessThan(before + 512 * 1024);
});

describe('left to node:http', () => {
  const many = (length: number): string => post('', Array.from({ length }, (_, at) => `A${at}:\r\n`).join(''));
  test.each([
    ['a proxy’s word on the connection', [post('x', 'Proxy-Connection: close\r\n')]],
    ['a header that is a list', [post('x', 'Set-Cookie: a=b\r\n')]],
    ['a thousand headers, and more', [many(998), many(999)]],
  ])('%s', async (_, texts) => {
    const pass = clock();
    const ways = texts.map((text) => [text]);
    await compare([await ours(), await theirs()], ways, pass);
  });
});
