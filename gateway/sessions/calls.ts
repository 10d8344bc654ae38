/** Calls that are running, so that their client, or a shutdown, can cancel them. */
import { SlipwayError } from '../../schemas/errors.ts';
import { FleetingMap } from '../../schemas/fleeting-map.ts';
import type { Id } from '../../schemas/jsonrpc.ts';

export class Calls {
  readonly #running = new FleetingMap<string, AbortController>();

  /** @returns the key to {@link remove} it by */
  add(sessionId: string, id: Id, controller: AbortController): string {
    const key = keyOf(sessionId, id);
    this.#running.set(key, controller);
    return key;
  }

  remove(key: string, controller: AbortController): void {
    if (this.#running.get(key) === controller) this.#running.take(key);
  }

  /** Cancels a call of the same session only: a request id is no secret. `1` and `"1"` are two ids. */
  cancel(sessionId: string, id: unknown): void {
    if (typeof id === 'string' || typeof id === 'number')
      this.#running.get(keyOf(sessionId, id))?.abort(new SlipwayError('cancelled'));
  }

  abortAll(reason: SlipwayError): void {
    for (const key of this.#running.keys()) this.#running.get(key)?.abort(reason);
  }
}

function keyOf(sessionId: string, id: Id): string {
  return `${sessionId} ${typeof id === 'string' ? 's' : 'n'}${id}`;
}
