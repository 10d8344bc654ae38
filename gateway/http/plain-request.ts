/**
 * Requests as clients of MCP send nearly all of theirs: a POST whose head tells how long its body is, here as a whole. Reading them with
 * `node:http` takes more time than everything that is decided about them. Whatever is not as plain as that, or could be understood in two
 * ways, is not for us, and `node:http` sees it as it came (request smuggling lives on readers that make something of it).
 */
import type { IncomingHttpHeaders } from 'node:http';

/** A head is that long at most (bytes). */
export const MAX_HEAD_BYTES = 16 * 1024;
const BEGIN = Buffer.from('POST /');
const HEAD_END = Buffer.from('\r\n\r\n');

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
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return bytes.length <= MAX_HEAD_BYTES && mayBegin(bytes) ? 'partial' : 'other';
  const [, url, lines] = (end <= MAX_HEAD_BYTES && HEAD.exec(bytes.toString('latin1', 0, end))) || [];
  const headers = lines === undefined ? undefined : headersOf(lines);
  const length = headers?.['content-length'];
  if (url === undefined || headers === undefined || length === undefined || !/^\d{1,9}$/.test(length)) return 'other';
  const from = end + HEAD_END.length;
  const to = from + Number(length);
  if (bytes.length < to) return 'partial';
  return { request: new PlainRequest(url, headers, bytes.subarray(from, to), socket), end: to };
}

/** Whether these can be the first bytes of one: what speaks TLS, or something else, is to hear so at once. */
function mayBegin(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, BEGIN.length);
  return BEGIN.compare(bytes, 0, length, 0, length) === 0;
}

/** Clients write the same names again and again: a look-up costs a fifth of what it takes to make them small. */
const small = new Map<string, string>();
const MAX_SMALL = 200;

function lower(name: string): string {
  const known = small.get(name);
  if (known !== undefined) return known;
  // A part of a text holds on to all of it, and what strangers make up must not stay.
  const own = Buffer.from(name, 'latin1').toString('latin1');
  if (small.size >= MAX_SMALL) small.clear();
  small.set(own, own.toLowerCase());
  return own.toLowerCase();
}

/** @returns `undefined` where one is special, or stands there twice, or where there are too many */
function headersOf(lines: string): IncomingHttpHeaders | undefined {
  const headers: Record<string, string> = {};
  let left = MAX_HEADERS;
  for (let at = 0; at < lines.length;) {
    const begin = at + '\r\n'.length;
    const next = lines.indexOf('\r\n', begin);
    at = next < 0 ? lines.length : next;
    const colon = lines.indexOf(':', begin);
    const name = lower(lines.slice(begin, colon));
    const value = lines.slice(colon + 1, at).trim();
    if (left-- === 0 || SPECIAL.has(name) || headers[name] !== undefined) return undefined;
    // Whoever wants the connection to end after the answer says so here.
    if (name === 'connection' && value.toLowerCase() !== 'keep-alive') return undefined;
    headers[name] = value;
  }
  return headers;
}
