/** Connections that are talked over byte by byte: with a listener of ours, and with one of node:http alone beside it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, vi } from 'vitest';
import type { Handle, HttpRequest, HttpResponse } from '../../../gateway/http/message.ts';
import { MAX_HEAD_BYTES, PlainRequest } from '../../../gateway/http/plain-request.ts';
import { listenTcp, type Listener } from '../../../gateway/listen.ts';
import { NamedResponse } from '../../../gateway/rpc/response.ts';
import { readBody } from '../../../gateway/steps/body.ts';
import { opened } from '../../helpers/opened.ts';
import { turn } from './callers.ts';

/** Something that listens, and what came to it. */
export class Door {
  port = 0;
  listener: Listener | undefined;
  /** The server's ends of its connections, by the ports of the others. */
  readonly sockets = new Map<number | undefined, Socket>();
  readonly seen: HttpRequest[] = [];
  readonly #bySocket = new Map<unknown, HttpRequest[]>();
  readonly #handle: Handle;

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** What came over one connection. */
  seenOn(socket: Socket): readonly HttpRequest[] {
    return this.#bySocket.get(socket) ?? [];
  }

  readonly connected = (socket: Socket): void => void this.sockets.set(socket.remotePort, socket);

  readonly handle: Handle = (request, response) => {
    this.seen.push(request);
    this.#bySocket.set(request.socket, [...(this.#bySocket.get(request.socket) ?? []), request]);
    this.#handle(request, response);
  };
}

/** As the gateway listens. */
export async function ours(handle: Handle = echo): Promise<Door & { readonly listener: Listener }> {
  const door = new Door(handle);
  const listener = await listenTcp({ host: '127.0.0.1', port: 0 }, () => door.handle, door.connected);
  onTestFinished(() => {
    const closed = listener.close();
    listener.cut();
    return closed;
  });
  return Object.assign(door, { listener, port: Number(new URL(listener.url).port) });
}

/** As it did when node:http read all of it: with the same settings as in `gateway/listen.ts`. */
export async function theirs(handle: Handle = echo): Promise<Door> {
  const door = new Door(handle);
  const settings = { maxHeaderSize: MAX_HEAD_BYTES, requireHostHeader: false, keepAliveTimeout: 65_000, noDelay: true };
  const server = createServer({ ...settings, ServerResponse: NamedResponse });
  server.on('connection', door.connected).on('request', door.handle).on('checkContinue', door.handle);
  await opened(server);
  door.port = (server.address() as AddressInfo).port;
  return door;
}

export const isPlain = (request: HttpRequest): boolean => request instanceof PlainRequest;

/** Says what was understood. */
export const echo: Handle = async (request, response) => {
  const { method, url, headers } = request;
  try {
    const body = (await readBody(request, response, 1_000_000)).toString('latin1');
    const text = JSON.stringify({ method, url, headers, body });
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
    response.end(text);
  } catch {
    response.destroy();
  }
};

/** A request with nothing about it. @param more headers, each with its line end */
export const post = (body: string, more = ''): string =>
  `POST /mcp HTTP/1.1\r\nHost: localhost\r\n${more}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;

export const HELLO = post('hello');

/** One connection, seen from both of its ends. All text is latin1: a character is a byte. */
export class Talk {
  readonly client: Socket;
  readonly server: Socket;
  readonly #door: Door;
  heard = '';
  /** The server has hung up. */
  isOver = false;

  private constructor(door: Door, client: Socket, server: Socket) {
    this.#door = door;
    this.client = client;
    this.server = server;
    client.setEncoding('latin1').on('data', (text: string) => (this.heard += text));
    client
      .on('error', () => {})
      .on('end', () => (this.isOver = true))
      .on('close', () => (this.isOver = true));
  }

  /** @param allowHalfOpen whether it stays when the server has hung up */
  static async with(door: Door, allowHalfOpen = false): Promise<Talk> {
    const client = connect({ port: door.port, host: '127.0.0.1', noDelay: true, allowHalfOpen });
    onTestFinished(() => void client.destroy());
    await once(client, 'connect');
    for (;;) {
      const server = door.sockets.get(client.localPort);
      // Ports come again.
      if (door.sockets.delete(client.localPort) && server) return new Talk(door, client, server);
      await turn();
    }
  }

  say(text: string): void {
    if (text !== '' && this.client.writable) this.client.write(text, 'latin1');
  }

  /** Says it, and waits until nothing more comes of it. @returns all that it ever heard */
  async ask(text: string): Promise<string> {
    this.say(text);
    await quiet([this]);
    return this.heard;
  }

  /** Resolves when the server has hung up. */
  async over(): Promise<void> {
    if (this.isOver) return;
    await new Promise<unknown>((resolve) => void this.client.once('end', resolve).once('close', resolve));
  }

  get answers(): readonly Answer[] {
    return answersIn(this.heard);
  }

  /** What was understood of it. */
  get seen(): readonly HttpRequest[] {
    return this.#door.seenOn(this.server);
  }

  /** How far either end is. */
  get state(): string {
    const { client, server, isOver } = this;
    return `${client.bytesWritten} ${server.bytesRead} ${server.bytesWritten} ${client.bytesRead} ${isOver} ${server.destroyed}`;
  }

  /** Whether nothing is on its way. */
  get isQuiet(): boolean {
    const { client, server } = this;
    if (server.destroyed) return this.isOver;
    if (server.writableEnded !== this.isOver) return false;
    return server.bytesRead === client.bytesWritten && client.bytesRead === server.bytesWritten;
  }
}

/** Resolves when all that was said has been read, and nothing more happens: no handler here waits for anything else. */
export const quiet = (talks: readonly Talk[]): Promise<void> => unchanged(talks, 4, ({ isQuiet }) => isQuiet);

/** The same where it may be that nobody reads any more. */
export const still = (...talks: readonly Talk[]): Promise<void> =>
  unchanged(talks, 50, ({ server, isOver }) => isOver || !server.destroyed);

async function unchanged(talks: readonly Talk[], many: number, holds: (talk: Talk) => boolean): Promise<void> {
  let before = '';
  for (let turns = 0; turns < many;) {
    await turn();
    const now = talks.map(({ state }) => state).join();
    turns = now === before && talks.every(holds) ? turns + 1 : 0;
    before = now;
  }
}

export interface Answer {
  readonly status: number;
  /** In lower case and sorted, each with its value; without the time of day. */
  readonly headers: readonly string[];
  /** As it came. */
  readonly body: string;
}

/** Where one ends and the next begins shows: nothing that is answered here looks like the beginning of one. */
export function answersIn(heard: string): Answer[] {
  if (heard === '') return [];
  return heard.split(/(?=HTTP\/1\.1 \d{3} )/).map((text) => {
    const end = text.indexOf('\r\n\r\n');
    const [first = '', ...lines] = (end < 0 ? text : text.slice(0, end)).split('\r\n');
    const headers = lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase())).sort();
    return {
      status: Number(first.split(' ')[1]),
      headers: headers.filter((line) => !line.startsWith('date:')),
      body: end < 0 ? '' : text.slice(end + 4),
    };
  });
}

/** As it was before it was sent in chunks, if it was. */
export function decoded(answer: Answer): Answer {
  const isChunked = answer.headers.includes('transfer-encoding: chunked');
  return isChunked ? { ...answer, body: unchunked(answer.body) } : answer;
}

/** @throws for what is not whole */
function unchunked(body: string): string {
  const [, size = '', rest = ''] = /^([0-9a-f]+)\r\n([^]*)$/.exec(body) ?? [];
  const length = Number.parseInt(size, 16);
  if (!(length >= 0) || rest.slice(length, length + 2) !== '\r\n') throw new Error(`no chunk: ${body.slice(0, 40)}`);
  if (length > 0) return rest.slice(0, length) + unchunked(rest.slice(length + 2));
  if (rest !== '\r\n') throw new Error(`more behind the last chunk: ${rest.slice(0, 40)}`);
  return '';
}

/** To be called before anything listens. @returns lets so many ms pass for it; all else keeps its own time */
export function clock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  return (ms) => void vi.advanceTimersByTime(ms);
}

/** A listener that keeps its answers waiting. @returns a connection, on which one is waited for */
export async function asked({ half = false, text = HELLO } = {}) {
  const responses: HttpResponse[] = [];
  const door = await ours((_, response) => void responses.push(response));
  const talk = await Talk.with(door, half);
  await talk.ask(text);
  expect(door.seen.map(isPlain)).toEqual([true]);
  const response = responses[0] as HttpResponse;
  const [closed, drained] = [vi.fn<() => void>(), vi.fn<() => void>()];
  response.on('close', closed).on('drain', drained);
  return { door, talk, responses, response, closed, drained };
}

const PLAIN = { 'Content-Type': 'text/plain' };
export const OK = { ...PLAIN, 'Content-Length': 2 };

type Step = (response: HttpResponse) => unknown;
const head = (status: number, headers: Readonly<Record<string, string | number>> = PLAIN): Step => {
  return (response) => response.writeHead(status, headers);
};
const write = (...parts: (string | Uint8Array)[]): Step => {
  return (response) => parts.forEach((part) => response.write(part));
};
const end = (text?: string): Step => {
  return (response) => response.end(text);
};

const STREAM = ['data: grüße 🌍\n\n', Buffer.from('größer'), Buffer.from([0, 13, 10, 255]), 'x'.repeat(100_000)];
/** What can be answered, with the steps to it. */
export const ANSWERS: Readonly<Record<string, [status: number, body: string | Buffer, ...steps: Step[]]>> = {
  'a length and a body': [404, 'grün!', head(404, { ...PLAIN, 'Content-Length': 6 }), end('grün!')],
  'a length, and a body in parts': [200, 'ok', head(200, OK), write(Buffer.from('o'), '', 'k'), end()],
  'parts that leave together': [200, 'ok', head(200, OK), (response) => response.cork(), write('o', 'k'), end()],
  'a stream of all sorts': [
    200,
    Buffer.concat([...STREAM.map((part) => Buffer.from(part)), Buffer.from('!')]),
    head(200, { 'Content-Type': 'text/event-stream' }),
    write(...STREAM, '', new Uint8Array(0)),
    end('!'),
  ],
  'a stream that is over at once': [200, '', head(200), end()],
  'a head that goes ahead': [200, '!', head(200), (response) => response.flushHeaders(), end('!')],
  'no head': [200, 'grün', end('grün')],
  'no head, and in parts': [500, 'ab', (response) => (response.statusCode = 500), write('a', 'b'), end()],
  nothing: [200, '', end()],
  accepted: [202, '', head(202, { 'Content-Length': 0 }), end()],
  'no content': [204, '', head(204, {}), end()],
  'headers from two places, and a name': [
    200,
    'ok',
    (response) => (response.requestId = 'r-1'),
    (response) => response.setHeader('Content-Type', 'text/html'),
    (response) => response.setHeader('Mcp-Session-Id', 'abc'),
    head(200, { ...OK, 'X-Zero': 0 }),
    end('ok'),
  ],
  'the last of a connection': [200, 'ok', head(200, { ...OK, Connection: 'close' }), end('ok')],
  'the last, by word of another': [200, 'ok', (response) => (response.shouldKeepAlive = false), head(200), end('ok')],
};
