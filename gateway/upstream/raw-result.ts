/** A large result as the bytes that a server sent: what nobody needs to look into is not taken apart and put together again. */
import { isUtf8 } from 'node:buffer';
import { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import type { Id } from '../../schemas/jsonrpc.ts';
import { JsonBytes } from '../rpc/json.ts';

/** From here on it pays (bytes): what is small is parsed faster than it is looked through. */
export const LARGE = 16 * 1024;
/** What stands around a result is shorter than this (bytes). */
const ENVELOPE = 256;
/** Names that decide something are shorter than this (bytes). */
const MAX_NAME = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const ARRAY_END = 0x5d;
const TRUE = 0x74;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

export class RawResult {
  readonly #bytes: Buffer;
  /** The names of its own fields. */
  readonly fields: ReadonlySet<string>;
  readonly isError: boolean;

  constructor(bytes: Buffer, fields: ReadonlySet<string>, isError: boolean) {
    this.#bytes = bytes;
    this.fields = fields;
    this.isError = isError;
  }

  get json(): JsonBytes {
    return new JsonBytes(this.#bytes);
  }

  /** With these fields in front, none of which it may have. @param fields as JSON text, without braces */
  with(fields: string): JsonBytes {
    const rest = this.fields.size === 0 ? '' : ',';
    return new JsonBytes(Buffer.from(`{${fields}${rest}`), this.#bytes.subarray(1));
  }

  /** Taken apart after all. @throws SlipwayError `upstream-unavailable` for what is no JSON inside */
  value(): unknown {
    try {
      return parseExact(this.#bytes.toString('utf8'));
    } catch (cause) {
      throw new SlipwayError('upstream-unavailable', 'The server sent an answer that cannot be read.', { cause });
    }
  }
}

const VERSION = String.raw`"jsonrpc"\s*:\s*"2\.0"`;
const HEAD = new RegExp(String.raw`^\s*\{\s*(?:(?:${VERSION}|"id"\s*:\s*\d{1,15})\s*,\s*)*"result"\s*:\s*(?=\{)`);
const TAIL = new RegExp(String.raw`\}((?:\s*,\s*(?:${VERSION}|"id"\s*:\s*\d{1,15}))*\s*\}\s*)$`);
const ID = /"id"\s*:\s*(\d+)/;

/**
 * Finds the result in a JSON-RPC answer, without parsing it. What stands around it must be just `jsonrpc`, `id` and `result`,
 * each once. Answer smuggling: the result must be one whole object, so that nothing in it can end it early and
 * answer for another request; inside, only strings and brackets are looked at, so it can still be no JSON.
 * @param id that the answer must have
 * @returns `undefined` for anything unusual: then the answer is to be parsed
 */
export function findResult(answer: Buffer, id: Id): RawResult | undefined {
  if (typeof id !== 'number') return undefined;
  const before = answer.toString('latin1', 0, ENVELOPE);
  const after = answer.toString('latin1', Math.max(0, answer.length - ENVELOPE));
  const head = HEAD.exec(before);
  const tail = head && TAIL.exec(after);
  if (!head || !tail) return undefined;
  const around = `${head[0]}${tail[1] ?? ''}`;
  if (count(around, '"id"') !== 1 || count(around, '"jsonrpc"') !== 1 || Number(ID.exec(around)?.[1]) !== id)
    return undefined;
  const result = answer.subarray(head[0].length, answer.length - (tail[1] ?? '').length);
  return isUtf8(result) ? read(result) : undefined;
}

const count = (text: string, part: string): number => text.split(part).length - 1;

/** @returns `undefined` unless it is one object from its first byte to its last, with plain names */
function read(bytes: Buffer): RawResult | undefined {
  const fields = new Set<string>();
  let depth = 0;
  let isName = true;
  let isError = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      const end = endOfString(bytes, at);
      if (end < 0) return undefined;
      if (depth === 1 && isName) {
        const name = nameIn(bytes, at + 1, end);
        if (name === undefined || fields.has(name)) return undefined;
        fields.add(name);
        if (name === 'isError') isError = valueAfter(bytes, end + 1) === TRUE;
        isName = false;
      }
      at = end;
    } else if (byte === OBJECT || byte === ARRAY) depth++;
    else if (byte === OBJECT_END || byte === ARRAY_END) {
      if (--depth === 0) return at === bytes.length - 1 ? new RawResult(bytes, fields, isError) : undefined;
    } else if (byte === COMMA && depth === 1) isName = true;
  }
  return undefined;
}

/** @returns where the quote is that ends the string which begins at `start` */
function endOfString(bytes: Buffer, start: number): number {
  for (let end = bytes.indexOf(QUOTE, start + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let slashes = 0;
    while (bytes[end - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}

/** One that is escaped could be any. */
function nameIn(bytes: Buffer, start: number, end: number): string | undefined {
  const name = bytes.toString('utf8', start, Math.min(end, start + MAX_NAME));
  return name.includes('\\') ? undefined : end - start > MAX_NAME ? `${name}…${start}` : name;
}

/** The first byte of the value that belongs to the name before. */
function valueAfter(bytes: Buffer, start: number): number | undefined {
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte !== COLON && byte > 0x20) break;
  }
  return bytes[at];
}
