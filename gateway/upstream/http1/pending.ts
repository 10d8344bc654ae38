/** A request on its way, which somebody waits for. */
import { SlipwayError } from '../../../schemas/errors.ts';
import { NotDelivered } from '../link.ts';
import { MalformedResponse, type Head, type Reader } from './response.ts';

/** It is settled once; what comes later changes nothing. */
export class PendingRequest {
  readonly reader: Reader;
  /** Until it is sent: a stream may last for hours. */
  #bytes: Buffer | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (head: Head) => void;
  readonly #reject: (error: unknown) => void;
  settled = false;
  /** Called when nobody waits for it any more. */
  onAbort: (() => unknown) | undefined;

  constructor(
    bytes: Buffer,
    reader: Reader,
    signal: AbortSignal | undefined,
    resolve: (head: Head) => void,
    reject: (error: unknown) => void,
  ) {
    this.#bytes = bytes;
    this.reader = reader;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Once: from here on the server may have got it. */
  toSend(): Buffer {
    const bytes = this.#bytes as Buffer;
    this.#bytes = undefined;
    return bytes;
  }

  resolve(head: Head): void {
    if (this.#settle()) this.#resolve(head);
  }

  /** What came is no answer. */
  unreadable(cause: unknown): void {
    if (!this.#settle()) return;
    const why = cause instanceof MalformedResponse ? ` (HTTP: ${cause.message})` : '';
    const message = `The server sent an answer that cannot be read${why}.`;
    this.#reject(new SlipwayError('upstream-unavailable', message, { cause }));
  }

  /** Nothing more will come. */
  broken(cause: unknown): void {
    if (!this.#settle()) return;
    if (!this.#bytes)
      this.#reject(new SlipwayError('upstream-unavailable', 'The connection to the server broke.', { cause }));
    else this.#reject(cause instanceof NotDelivered ? cause : new NotDelivered('The server cannot be reached.', cause));
  }

  /** Nothing more is wanted. */
  cut(): void {
    if (!this.#settle()) return;
    this.#reject(new SlipwayError('cancelled'));
    this.onAbort?.();
  }

  /** @returns whether it was not settled before */
  #settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    return true;
  }

  readonly #abort = (): void => {
    if (!this.#settle()) return;
    this.#reject(this.#signal?.reason);
    this.onAbort?.();
  };
}
