/** One user's end of an instance that many share. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Connection, ConnectionHandlers, RequestOptions } from '../../schemas/peer.ts';
import type { StdioInstance } from './instance.ts';

export class BridgeConnection implements Connection {
  readonly #instance: StdioInstance;
  readonly #onClose: () => void;
  readonly #open = new AbortController();
  readonly handlers: ConnectionHandlers;
  inFlight = 0;

  constructor(instance: StdioInstance, handlers: ConnectionHandlers, onClose: () => void) {
    this.#instance = instance;
    this.handlers = handlers;
    this.#onClose = onClose;
  }

  request(method: string, params?: Record<string, unknown>, options: RequestOptions = {}): Promise<unknown> {
    if (this.#open.signal.aborted) return Promise.reject(new SlipwayError('cancelled', 'The connection was closed.'));
    return this.#instance.request(this, method, params, options);
  }

  notify(method: string, params?: Record<string, unknown>): void {
    this.#instance.notify(method, params);
  }

  close(): void {
    this.#open.abort();
    this.#onClose();
  }
}
