/** Reads `text/event-stream` as it comes: any chunking, any line ending, characters cut in two. Pure. */
import { StringDecoder } from 'node:string_decoder';

export interface SseEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
}

export class SseParser {
  readonly #onEvent: (event: SseEvent) => void;
  readonly #maxLength: number;
  readonly #decoder = new StringDecoder('utf8');
  #parts: string[] = [];
  /** Characters taken since the last event; a chunk that ends one counts towards the next, which only errs early. */
  #size = 0;
  #afterReturn = false;
  #started = false;
  #event = '';
  #data: string[] = [];
  /** Of the event that is being read: one that is cut off was not received, and its stream goes on before it. */
  #id: string | undefined;
  /** The id of the last event, and the pause that the server wants before a new attempt (ms). */
  lastId: string | undefined;
  retry: number | undefined;

  /** @param maxLength characters that one event may have; more throws RangeError, so that a stream cannot eat the memory */
  constructor(onEvent: (event: SseEvent) => void, maxLength: number) {
    this.#onEvent = onEvent;
    this.#maxLength = maxLength;
  }

  push(chunk: Buffer): void {
    let text = this.#decoder.write(chunk);
    if (text === '') return;
    if (!this.#started && text.startsWith('\uFEFF')) text = text.slice(1);
    this.#started = true;
    // A `\r\n` cut between two chunks is one line end.
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1);
    this.#afterReturn = text.endsWith('\r');
    const lines = text.split(/\r\n|\r|\n/);
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#line(this.#parts.length === 0 ? line : this.#parts.join('') + line);
      this.#parts = [];
    }
    if (rest !== '') this.#parts.push(rest);
    this.#size += text.length;
    if (this.#size > this.#maxLength) throw new RangeError('event too long');
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d{1,9}$/.test(value)) this.retry = Number(value);
  }

  #dispatch(): void {
    this.lastId = this.#id;
    const event = this.#event || 'message';
    const data = this.#data;
    this.#event = '';
    this.#data = [];
    this.#size = 0;
    if (data.length > 0) this.#onEvent({ event, data: data.join('\n') });
  }
}
