/** The gateway's connection to one instance or remote server: opened when first needed, opened again when it ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LEGACY_VERSIONS, RpcFailure, type RpcNotification } from '../../schemas/jsonrpc.ts';
import type { Connection, RequestOptions } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { NotDelivered, type Open } from './link.ts';

/** How long a server may take from the first byte to its answer to `initialize`; a sleeping one has to start (ms). */
const OPEN_TIMEOUT = 60_000;
/** Pauses between attempts to open, doubled each time, jittered so that replicas do not knock in step (ms). */
const BACKOFF_MIN = 50;
const BACKOFF_MAX = 1_000;

/** What a server said about itself in `initialize`. */
export interface Welcome {
  readonly capabilities?: { readonly tools?: { readonly listChanged?: boolean } };
  readonly instructions?: string;
}

export interface UpstreamOptions {
  readonly endpoint: Endpoint;
  readonly open: Open;
  /** For `clientInfo`. */
  readonly version: string;
  onOpen(welcome: Welcome): void;
  onNotification(notification: RpcNotification): void;
}

export class Upstream {
  readonly endpoint: Endpoint;
  readonly #options: UpstreamOptions;
  #connection: Connection | undefined;
  #opening: Promise<Connection> | undefined;
  /** The connection that is being opened. */
  #half: Connection | undefined;
  #failures = 0;
  #notBefore = 0;
  #busy = 0;
  #closed = false;

  constructor(options: UpstreamOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  /** Requests that wait for it, those that wait for the connection included. */
  get busy(): number {
    return this.#busy;
  }

  /**
   * @throws NotDelivered when the request never got there, RpcFailure as the server answered, SlipwayError otherwise
   */
  async request(method: string, params: Record<string, unknown>, options: RequestOptions): Promise<unknown> {
    this.#busy++;
    try {
      const connection = this.#connection ?? (await within(this.#open(), options.signal));
      return await connection.request(method, params, options);
    } finally {
      this.#busy--;
    }
  }

  close(): void {
    this.#closed = true;
    this.#half?.close();
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** One opening at a time, however many wait for it. */
  #open(): Promise<Connection> {
    this.#opening ??= this.#dial().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #dial(): Promise<Connection> {
    const pause = this.#notBefore - performance.now();
    if (pause > 0) await sleep(pause, undefined, { ref: false });
    let gone = false;
    let connection: Connection | undefined;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(tooSlow()), OPEN_TIMEOUT);
    try {
      if (this.#closed) throw new NotDelivered('The connection was closed.');
      connection = await this.#options.open(this.endpoint, {
        onNotification: this.#options.onNotification,
        onClose: () => {
          gone = true;
          if (this.#connection === connection) this.#connection = undefined;
        },
      });
      this.#half = connection;
      const welcome = (await connection.request('initialize', this.#hello(), { signal: late.signal })) as Welcome;
      if (gone || this.#closed) throw new NotDelivered('The connection was closed.');
      connection.notify('notifications/initialized');
      this.#connection = connection;
      this.#failures = 0;
      this.#options.onOpen(welcome ?? {});
      return connection;
    } catch (error) {
      connection?.close();
      const delay = Math.min(BACKOFF_MIN * 2 ** this.#failures++, BACKOFF_MAX) * (1 + Math.random());
      this.#notBefore = performance.now() + delay;
      // Whatever went wrong in the opening, the caller's own request has not been sent.
      throw error instanceof NotDelivered ? error : new NotDelivered(wordsFor(error), error);
    } finally {
      clearTimeout(timer);
      this.#half = undefined;
    }
  }

  #hello(): Record<string, unknown> {
    return {
      protocolVersion: LEGACY_VERSIONS[0],
      capabilities: {},
      clientInfo: { name: 'slipway', version: this.#options.version },
    };
  }
}

function tooSlow(): SlipwayError {
  return new SlipwayError('upstream-timeout', 'The server did not initialize in time.');
}

function wordsFor(error: unknown): string {
  if (error instanceof RpcFailure) return `The server refused to initialize: ${error.message}`;
  return error instanceof SlipwayError ? error.message : 'The server could not be initialized.';
}

/** Waits for what others wait for too, but no longer than one's own signal. */
function within<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
