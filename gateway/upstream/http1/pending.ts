/** A request on its way, which somebody waits for. */
import { SlipwayError } from '../../../schemas/errors.ts';
import { NotDelivered } from '../link.ts';
import type { HttpCall } from './request.ts';
import type { Head, Reader } from './response.ts';

/** It is settled once; what comes later changes nothing. */
export class PendingRequest {
  readonly bytes: Buffer;
  readonly reader: Reader;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (head: Head) => void;
  readonly #reject: (error: unknown) => void;
  settled = false;
  /** Whether the server may have got anything of it. */
  sent = false;
  /** Called when nobody waits for it any more. */
  onAbort: (() => unknown) | undefined;

  constructor(
    bytes: Buffer,
    reader: Reader,
    signal: HttpCall['signal'],
    resolve: (head: Head) => void,
    reject: (error: unknown) => void,
  ) {
    this.bytes = bytes;
    this.reader = reader;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    if (signal?.aborted) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  resolve(head: Head): void {
    if (this.#settle()) this.#resolve(head);
  }

  /** What came is no answer. */
  unreadable(cause: unknown): void {
    if (this.#settle())
      this.#reject(
        new SlipwayError('upstream-unavailable', 'The server sent an answer that cannot be read.', { cause }),
      );
  }

  /** Nothing more will come. */
  broken(cause: unknown): void {
    if (!this.#settle()) return;
    if (this.sent)
      this.#reject(new SlipwayError('upstream-unavailable', 'The connection to the server broke.', { cause }));
    else this.#reject(cause instanceof NotDelivered ? cause : new NotDelivered('The server cannot be reached.', cause));
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
