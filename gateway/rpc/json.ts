/** JSON text on its way to a client. */
import { parseExact } from '../../schemas/exact-json.ts';

/** As a string, or as bytes that go out as they are: what is large or always the same is not encoded for every client. */
export type Json = string | JsonBytes;

/** One JSON text in UTF-8, in one piece or several. */
export class JsonBytes {
  readonly parts: readonly Buffer[];
  /** In bytes. */
  readonly size: number;

  constructor(...parts: readonly Buffer[]) {
    this.parts = parts;
    this.size = parts.reduce((sum, part) => sum + part.length, 0);
  }

  /** The same on one line, as event streams need it. */
  line(): string {
    const text = Buffer.concat(this.parts).toString('utf8');
    return /[\r\n]/.test(text) ? JSON.stringify(parseExact(text)) : text;
  }
}

export const lineOf = (json: Json): string => (typeof json === 'string' ? json : json.line());

/** In bytes. */
export const sizeOf = (json: Json): number => (typeof json === 'string' ? Buffer.byteLength(json) : json.size);
