/** Calls whose client was asked something and has not come back yet: the server still waits. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Round } from './round.ts';

/** Bounds on what clients can leave waiting: in all, and for one principal. */
const MAX_PARKED = 1_000;
const MAX_PER_PRINCIPAL = 100;
/** How long a person may think before a question counts as unanswered (ms). */
export const PARKING_TIME = 15 * 60_000;

interface Place {
  readonly round: Round;
  readonly principal: string;
  readonly timer: NodeJS.Timeout;
}

export class Parked {
  readonly #places = new Map<string, Place>();

  /** @throws SlipwayError `bad-request` when too many wait already */
  park(round: Round, principal: string): void {
    let own = 0;
    for (const place of this.#places.values()) if (place.principal === principal) own++;
    if (this.#places.size >= MAX_PARKED || own >= MAX_PER_PRINCIPAL)
      throw new SlipwayError('bad-request', 'Too many calls wait for an answer of their client.', {
        hint: 'Answer some of them first.',
      });
    const timer = setTimeout(() => this.take(round.id)?.abandon(), PARKING_TIME);
    timer.unref();
    this.#places.set(round.id, { round, principal, timer });
  }

  /** Replay: whoever comes back takes the call with them, so nobody can come back to it twice. */
  take(id: string): Round | undefined {
    const place = this.#places.get(id);
    if (!place) return undefined;
    clearTimeout(place.timer);
    this.#places.delete(id);
    return place.round;
  }

  /** Ends them all: nobody can come back. */
  close(): void {
    for (const id of this.#places.keys()) this.take(id)?.abandon();
  }
}
