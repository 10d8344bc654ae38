/** Requests as HTTP/1.1 has them on the wire (RFC 9112 §3). Pure. */
import { VIA } from '../../steps/loop.ts';

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
}

/** RFC 9110 §5.1. */
export const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What no value may hold (RFC 9110 §5.5). */
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** What says how long a request is, where it goes and what becomes of the connection is nobody else's to say. */
const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Writes the requests to one host. Headers that are the same object as those before are the same lines. */
export class RequestWriter {
  readonly #host: string;
  #headers: HttpCall['headers'] | undefined;
  #lines = '';

  /** @param host as the `Host` header has it */
  constructor(host: string) {
    this.#host = host;
  }

  /**
   * @param path with its query, escaped as `URL` does
   * @returns head and body in one piece, so that one write sends both
   * @throws TypeError for a header that none can be
   */
  write(path: string, { method, headers, body = '' }: HttpCall): Buffer {
    if (headers !== this.#headers) {
      this.#lines = `Host: ${this.#host}\r\nVia: ${VIA}\r\n${linesOf(headers)}`;
      this.#headers = headers;
    }
    const size = Buffer.byteLength(body);
    const length = body !== '' || method === 'POST' ? `Content-Length: ${size}\r\n` : '';
    const head = `${method} ${path} HTTP/1.1\r\n${this.#lines}${length}\r\n`;
    const bytes = Buffer.allocUnsafe(head.length + size);
    bytes.write(head, 'latin1');
    bytes.write(body, head.length);
    return bytes;
  }
}

/** Request splitting: a header whose value ends its line would begin a request of its own. */
function linesOf(headers: HttpCall['headers']): string {
  let lines = '';
  for (const [name, value] of Object.entries(headers)) {
    if (!HEADER_NAME.test(name) || NO_VALUE.test(value) || OURS.has(name.toLowerCase()))
      throw new TypeError(`The header ${JSON.stringify(name)} cannot be sent.`);
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}
