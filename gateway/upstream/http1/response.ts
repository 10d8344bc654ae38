/**
 * Reads a response of HTTP/1.1 as it comes, cut anywhere (RFC 9112). Pure. Stricter than it would have to be: what two readers
 * could understand differently is refused, because whoever reads on at the wrong place takes one answer for another.
 */
import { HEADER_NAME } from './request.ts';

export interface Head {
  readonly status: number;
  /** By name in lower case; what came several times is one value, with commas. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What is done with a response as it comes. What it throws ends the response. */
export interface Reader {
  /** Where there is such a field, it is filled in: ends the request, whatever is still to come. */
  cut?: (() => void) | undefined;
  onHead?(head: Head): void;
  /** @param chunk is only lent: what is kept of it must be copied */
  onData?(chunk: Buffer): void;
  onEnd?(): void;
}

/** No response, or none that can be read in one way only. Its message is in words of our own. */
export class MalformedResponse extends Error {}

/** The longest head, the longest line around a chunk, and all lines behind the last (bytes). */
const MAX_HEAD = 16 * 1024;
const MAX_LINE = 1024;
const MAX_TRAILER = 16 * 1024;

const STATUS = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
/** A line end that is none, and characters that no line may hold. */
const BROKEN = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/;
const BARE_END = /[^\r]\n/;
const CHUNK = /^(0*[0-9a-f]{1,12})[\t ]*(?:;.*)?$/i;
const SWITCHING = 101;
/** These have no body, whatever their head says. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/** What is expected next. `rest` is a body that ends with the connection. */
type Part = 'head' | 'body' | 'rest' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'done';

export class ResponseParser {
  #reader: Reader | undefined;
  #part: Part = 'head';
  /** Of lines: what has come without its end. */
  #begun: Buffer | undefined;
  /** Of a body or chunk: bytes that are still to come. */
  #missing = 0;
  #trailer = 0;
  /** As soon as it is there. */
  head: Head | undefined;
  /** Whether the server would take another request on the connection. */
  keepAlive = true;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Whether the response is all there. One that was given up never is. */
  get done(): boolean {
    return this.#part === 'done' && this.#reader !== undefined;
  }

  /**
   * @returns how many bytes at the end of the chunk are none of this response
   * @throws MalformedResponse for what is no response, and whatever the reader throws
   */
  push(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#part !== 'done') at = this.#step(chunk, at);
    return chunk.length - at;
  }

  /** The server has nothing more to say. @returns whether the response is all there */
  end(): boolean {
    if (this.#part === 'rest') this.#finish();
    return this.done;
  }

  /** The reader is told nothing more, whatever is left of what is being read. */
  abandon(): void {
    this.#reader = undefined;
    this.#part = 'done';
  }

  /** @returns where to read on */
  #step(chunk: Buffer, at: number): number {
    switch (this.#part) {
      case 'head':
        return this.#upTo('\r\n\r\n', MAX_HEAD, this.#onHead, chunk, at);
      case 'chunk-size':
        return this.#upTo('\r\n', MAX_LINE, this.#onSize, chunk, at);
      case 'chunk-end':
        return this.#upTo('\r\n', MAX_LINE, this.#onChunkEnd, chunk, at);
      case 'trailer':
        return this.#upTo('\r\n', MAX_LINE, this.#onTrailer, chunk, at);
      case 'body':
      case 'chunk':
        return this.#onMissing(chunk, at);
      default:
        this.#reader?.onData?.(chunk.subarray(at));
        return chunk.length;
    }
  }

  /** Hands on the text before `end`, once that is there. Anything longer than `max` is refused. */
  #upTo(end: string, max: number, take: (text: string) => void, chunk: Buffer, at: number): number {
    const before = this.#begun?.length ?? 0;
    const bytes = this.#begun ? Buffer.concat([this.#begun, chunk.subarray(at)]) : chunk.subarray(at);
    const found = bytes.indexOf(end, Math.max(0, before - end.length + 1), 'latin1');
    if ((found < 0 ? bytes.length : found) > max) throw new MalformedResponse('too long');
    if (found < 0) {
      // One that ends its lines in a way of its own would never come to an end.
      if (BARE_END.test(bytes.toString('latin1', Math.max(0, before - 1))))
        throw new MalformedResponse('not a line end');
      this.#begun = Buffer.from(bytes);
      return chunk.length;
    }
    this.#begun = undefined;
    take(bytes.toString('latin1', 0, found));
    return at + found + end.length - before;
  }

  /** Bytes of a body or a chunk, whose length is known. */
  #onMissing(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#missing);
    this.#missing -= end - at;
    this.#reader?.onData?.(chunk.subarray(at, end));
    if (this.#missing > 0) return end;
    if (this.#part === 'body') this.#finish();
    else this.#part = 'chunk-end';
    return end;
  }

  readonly #onHead = (text: string): void => {
    if (BROKEN.test(text)) throw new MalformedResponse('not a head');
    const lines = text.split('\r\n');
    const [, minor, code] = STATUS.exec(lines[0] as string) ?? [];
    const status = Number(code);
    if (code === undefined || status === SWITCHING) throw new MalformedResponse('not a status');
    // `100 Continue` and the like are no answer.
    if (status < 200) return;
    const headers = headersOf(lines);
    const part = this.#framing(status, minor === '1', headers);
    this.keepAlive = minor === '1' && part !== 'rest' && !/\bclose\b/i.test(headers['connection'] ?? '');
    this.#part = part;
    this.head = { status, headers };
    this.#reader?.onHead?.(this.head);
    if (part === 'done') this.#finish();
  };

  /** How the end of the body is known (RFC 9112 §6.3). */
  #framing(status: number, hasChunks: boolean, headers: Head['headers']): Part {
    const { 'transfer-encoding': encoding, 'content-length': length } = headers;
    if (encoding !== undefined && (!hasChunks || length !== undefined || encoding.toLowerCase() !== 'chunked'))
      throw new MalformedResponse('an encoding other than chunked, or a length besides');
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw new MalformedResponse('not a length');
    if (BODILESS.has(status)) return 'done';
    if (encoding !== undefined) return 'chunk-size';
    if (length === undefined) return 'rest';
    this.#missing = Number(length);
    return this.#missing === 0 ? 'done' : 'body';
  }

  readonly #onSize = (line: string): void => {
    const [, size] = CHUNK.exec(line) ?? [];
    if (size === undefined || BROKEN.test(line)) throw new MalformedResponse('not a chunk');
    this.#missing = Number.parseInt(size, 16);
    this.#part = this.#missing === 0 ? 'trailer' : 'chunk';
  };

  readonly #onChunkEnd = (line: string): void => {
    if (line !== '') throw new MalformedResponse('a chunk of another length');
    this.#part = 'chunk-size';
  };

  /** Nothing that stands there is of use. */
  readonly #onTrailer = (line: string): void => {
    this.#trailer += line.length;
    if (this.#trailer > MAX_TRAILER || BROKEN.test(line)) throw new MalformedResponse('not a trailer');
    if (line === '') this.#finish();
  };

  #finish(): void {
    this.#part = 'done';
    this.#reader?.onEnd?.();
  }
}

/** @throws MalformedResponse for a folded line, a name with a space behind it, and whatever else is no header */
function headersOf(lines: readonly string[]): Record<string, string> {
  // Prototype pollution: `__proto__` is a name like any other.
  const headers = { __proto__: null } as unknown as Record<string, string>;
  for (let at = 1; at < lines.length; at++) {
    const line = lines[at] as string;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    if (!HEADER_NAME.test(name)) throw new MalformedResponse('not a header');
    const value = withoutSpace(line, colon + 1);
    const known = headers[name];
    headers[name] = known === undefined ? value : `${known}, ${value}`;
  }
  return headers;
}

/** What stands from there on, without the white space around it: spaces and tabs only, where `trim` takes half of some characters. */
function withoutSpace(line: string, from: number): string {
  let [start, end] = [from, line.length];
  while (start < end && isSpace(line.charCodeAt(start))) start++;
  while (end > start && isSpace(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;
