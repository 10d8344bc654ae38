/** Server-sent events towards a client, with a bound on what may wait for it. */
import type { HttpResponse } from '../http/message.ts';

/** What may be buffered for a client that does not read (bytes). */
const MAX_BUFFERED = 1024 * 1024;
/** The same for answers, which cannot be left out; those of a few calls may come at once (bytes). */
const MAX_ANSWERS = 16 * 1024 * 1024;

/** Where events are written to, be it a connection or a stream that outlives its connections. */
export interface EventWriter {
  /** Whether somebody is connected. */
  readonly attached: boolean;
  /** Whether the client keeps up. One that does not read must not fill the memory: its caller drops events or the stream. */
  readonly keepsUp: boolean;
  /** Sends one JSON-RPC message, given as JSON text. */
  event(json: string): void;
  /** Keeps proxies from cutting a silent stream, and shows the client that it is open. */
  comment(text: string): void;
  end(): void;
  destroy(): void;
}

export class SseWriter implements EventWriter {
  readonly attached = true;
  readonly #response: HttpResponse;

  constructor(response: HttpResponse) {
    this.#response = response;
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
  }

  get keepsUp(): boolean {
    return this.#response.writableLength < MAX_BUFFERED;
  }

  /** Whether not even an answer may be added to what waits. */
  get overflows(): boolean {
    return this.#response.writableLength >= MAX_ANSWERS;
  }

  get ended(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /** @param id what a client that lost the connection comes back with */
  event(json: string, id?: string): void {
    this.#write(`${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${json}\n\n`);
  }

  /** An event that is no JSON-RPC message. */
  named(event: string, data: string): void {
    this.#write(`event: ${event}\ndata: ${data}\n\n`);
  }

  /** An event without a message: it names the place to come back to, and when (ms). */
  prime(id: string, retry: number): void {
    this.#write(`id: ${id}\nretry: ${retry}\ndata: \n\n`);
  }

  comment(text: string): void {
    this.#write(`: ${text}\n\n`);
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }

  /** What comes after the end has nobody to go to: a stream can be ended while its calls still run. */
  #write(text: string): void {
    if (!this.ended) this.#response.write(text);
  }
}
