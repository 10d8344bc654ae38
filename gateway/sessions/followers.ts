/** Answers of the control API that are streamed line by line, and for whom. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Identity } from '../auth/identity.ts';
import { lacksScopes } from '../auth/scopes.ts';
import type { Source } from '../exchange.ts';
import type { Generation } from '../snapshot.ts';
import { stillKnown } from '../steps/authenticate.ts';

/** How often it is asked whether a credential has expired meanwhile (ms). */
const REVIEW = 1_000;

export interface Follower {
  readonly identity: Identity;
  readonly source: Source;
  /** What it was let in by. */
  readonly generation: Generation;
  /** Ends the lines. */
  readonly controller: AbortController;
}

export class Followers {
  readonly #all = new Set<Follower>();
  readonly #current: () => Generation;

  constructor(current: () => Generation) {
    this.#current = current;
  }

  /** @returns what to dispose of when the lines have ended */
  add(follower: Follower): Disposable {
    this.#all.add(follower);
    const timer = setInterval(() => this.#review(follower), REVIEW).unref();
    return {
      [Symbol.dispose]: () => {
        clearInterval(timer);
        this.#all.delete(follower);
      },
    };
  }

  /**
   * Whoever was let in goes on reading: a thief who stays connected, or somebody whose role was taken. What a caller may
   * read was decided when it asked, so whoever is not quite who it was has to ask again.
   */
  review(): void {
    for (const follower of this.#all) this.#review(follower);
  }

  /** A shutdown ends them at once. */
  close(): void {
    for (const { controller } of this.#all) controller.abort(new SlipwayError('shutting-down'));
  }

  #review(follower: Follower): void {
    if (!isAsBefore(follower, this.#current())) follower.controller.abort(new SlipwayError('unauthorized'));
  }
}

function isAsBefore({ identity, source, generation }: Follower, current: Generation): boolean {
  const now = stillKnown(current, identity, source);
  if (!now || lacksScopes(now, undefined)) return false;
  // The local user may do everything, whatever the config says.
  if (now.credential === undefined) return true;
  return current === generation || rights(now, current) === rights(identity, generation);
}

const rights = ({ subject }: Identity, { snapshot: { access } }: Generation): string =>
  JSON.stringify([subject, access]);
