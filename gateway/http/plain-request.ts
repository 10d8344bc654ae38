/**
 * Requests as clients of MCP send nearly all of theirs: a POST whose head tells how long its body is, here as a whole. Reading them with
 * `node:http` takes more time than everything that is decided about them. Whatever is not as plain as that, or could be understood in two
 * ways, is not for us, and `node:http` sees it as it came (request smuggling lives on readers that make something of it).
 */
import type { IncomingHttpHeaders } from 'node:http';

/** A head is that long at most (bytes). */
export const MAX_HEAD_BYTES = 16 * 1024;
const HEAD_END = '\r\n\r\n';

/** RFC 9112 §3 and §5, of printable ASCII only: without tabs, bare line ends, or lines that go on. */
const HEAD = /^POST (\/[!-~]*) HTTP\/1\.1((?:\r\n[A-Za-z0-9-]+:[ -~]*)+)$/;

/** They change how a message is to be read, or what comes after it; or are lists, which `node:http` makes of one. */
const SPECIAL: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'expect',
  'upgrade',
  'trailer',
  'te',
  'http2-settings',
  'proxy-connection',
  'set-cookie',
]);

/** Nobody sends as many headers who means well. */
const MAX_HEADERS = 100;

export class PlainRequest {
  readonly method = 'POST';
  readonly complete = true;
  /** There is no second header of a name. */
  readonly rawHeaders = undefined;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly socket: { readonly remoteAddress?: string | undefined };

  constructor(url: string, headers: IncomingHttpHeaders, body: Buffer, socket: PlainRequest['socket']) {
    this.url = url;
    this.headers = headers;
    this.body = body;
    this.socket = socket;
  }
}

/** A request, and where in the bytes it ends. */
export interface Found {
  readonly request: PlainRequest;
  readonly end: number;
}

/** @returns `partial` where it may be one when more is there; `other` where it is none */
export function readPlain(bytes: Buffer, socket: PlainRequest['socket']): Found | 'partial' | 'other' {
  const end = bytes.indexOf(HEAD_END, 0, 'latin1');
  if (end < 0) return bytes.length <= MAX_HEAD_BYTES ? 'partial' : 'other';
  const [, url, lines] = (end <= MAX_HEAD_BYTES && HEAD.exec(bytes.toString('latin1', 0, end))) || [];
  const headers = lines === undefined ? undefined : headersOf(lines);
  const length = headers?.['content-length'];
  if (url === undefined || headers === undefined || length === undefined || !/^\d{1,9}$/.test(length)) return 'other';
  const from = end + HEAD_END.length;
  const to = from + Number(length);
  if (bytes.length < to) return 'partial';
  return { request: new PlainRequest(url, headers, bytes.subarray(from, to), socket), end: to };
}

/** @returns `undefined` where one is special, or stands there twice, or where there are too many */
function headersOf(lines: string): IncomingHttpHeaders | undefined {
  const headers: Record<string, string> = {};
  const all = lines.slice(2).split('\r\n');
  if (all.length > MAX_HEADERS) return undefined;
  for (const line of all) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (SPECIAL.has(name) || headers[name] !== undefined) return undefined;
    // Whoever wants the connection to end after the answer says so here.
    if (name === 'connection' && value.toLowerCase() !== 'keep-alive') return undefined;
    headers[name] = value;
  }
  return headers;
}
