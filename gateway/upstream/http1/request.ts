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

/**
 * Request splitting: a header whose value ends its line would begin a request of its own.
 * @param host as the `Host` header has it
 * @param path with its query, escaped as `URL` does
 * @returns head and body in one piece, so that one write sends both
 * @throws TypeError for a header that none can be
 */
export function requestBytes(host: string, path: string, { method, headers, body = '' }: HttpCall): Buffer {
  let head = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nVia: ${VIA}\r\n`;
  for (const name in headers) {
    const value = headers[name] as string;
    if (!HEADER_NAME.test(name) || NO_VALUE.test(value) || OURS.has(name.toLowerCase()))
      throw new TypeError(`The header ${JSON.stringify(name)} cannot be sent.`);
    head += `${name}: ${value}\r\n`;
  }
  const length = Buffer.byteLength(body);
  if (body !== '' || method === 'POST') head += `Content-Length: ${length}\r\n`;
  head += '\r\n';
  const bytes = Buffer.allocUnsafe(head.length + length);
  bytes.write(head, 'latin1');
  bytes.write(body, head.length);
  return bytes;
}
