/**
 * A keep-alive connection for load generators: one request at a time, written and read by hand. It costs a third of what
 * `node:http` does, so that on few cores it is the target that is measured and not the generator.
 */
import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  /** Status line and headers, as they came. */
  readonly head: string;
  readonly body: string;
}

const HEAD_END = Buffer.from('\r\n\r\n');

export class Wire implements Disposable {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #host: string;
  #chunks: Buffer[] = [];
  #size = 0;
  /** How long the answer is with its head, once that is known. */
  #whole: number | undefined;
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket, url: URL) {
    this.#socket = socket;
    this.#path = url.pathname + url.search;
    this.#host = url.host;
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('The connection was closed.')));
  }

  static open(url: URL): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
      socket.once('error', reject).once('connect', () => resolve(new Wire(socket, url)));
    });
  }

  /** @param headers whole lines, each with its line end */
  post(body: string, headers: string): Promise<Answer> {
    const head = `POST ${this.#path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/json\r\n`;
    const accept = 'Accept: application/json, text/event-stream\r\n';
    this.#socket.write(`${head}${accept}${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  [Symbol.dispose](): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    // What is large is put together once, and not again with each piece.
    if (this.#whole !== undefined && this.#size < this.#whole) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const answer = parse(bytes);
    if (!answer) {
      this.#chunks = [bytes];
      this.#whole = lengthOf(bytes);
      return;
    }
    this.#chunks = [];
    this.#size = 0;
    this.#whole = undefined;
    this.#waiting?.resolve(answer);
  }
}

/** Of head and body, if the head is there and says so. */
function lengthOf(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(HEAD_END);
  const length = end < 0 ? undefined : headerOf(bytes.toString('latin1', 0, end), 'content-length');
  return length === undefined ? undefined : end + HEAD_END.length + Number(length);
}

/** @returns `undefined` while something is missing */
function parse(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const status = Number(head.slice(9, 12));
  const start = end + HEAD_END.length;
  if (status === 204) return { status, head, body: '' };
  const length = headerOf(head, 'content-length');
  if (length === undefined) {
    const body = unchunk(bytes, start);
    return body === undefined ? undefined : { status, head, body };
  }
  const size = Number(length);
  return bytes.length < start + size ? undefined : { status, head, body: bytes.toString('utf8', start, start + size) };
}

export function headerOf(head: string, name: string): string | undefined {
  const at = head.toLowerCase().indexOf(`\r\n${name}:`);
  if (at < 0) return undefined;
  const end = head.indexOf('\r\n', at + 2);
  return head.slice(at + name.length + 3, end < 0 ? undefined : end).trim();
}

function unchunk(bytes: Buffer, from: number): string | undefined {
  let body = '';
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return body;
    body += bytes.toString('utf8', lineEnd + 2, lineEnd + 2 + size);
    at = next;
  }
}
