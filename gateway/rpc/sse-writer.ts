/** Server-sent events towards a client, with a bound on what may wait for it. */
import type { ServerResponse } from 'node:http';

/** What may be buffered for a client that does not read (bytes). */
const MAX_BUFFERED = 1024 * 1024;

export class SseWriter {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
  }

  /** Whether the client keeps up. One that does not read must not fill the memory: its caller drops events or the stream. */
  get keepsUp(): boolean {
    return this.#response.writableLength < MAX_BUFFERED;
  }

  /** Sends one JSON-RPC message, given as JSON text. */
  event(json: string): void {
    this.#response.write(`event: message\ndata: ${json}\n\n`);
  }

  /** Keeps proxies from cutting a silent stream, and shows the client that it is open. */
  comment(text: string): void {
    this.#response.write(`: ${text}\n\n`);
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}
