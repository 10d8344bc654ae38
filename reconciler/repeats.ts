/**
 * Notices work that does not last: somebody undoes it, or a server ends what was made for it. Each round may cut sessions
 * off, so that after three of the same a person is told instead.
 */
import { SlipwayError } from '../schemas/errors.ts';
import type { Plan } from '../schemas/plan.ts';
import type { Outcome } from './rollout/context.ts';

const MAX_ROUNDS = 3;
const SHOWN = 5;
const OPEN: ReadonlySet<Outcome['result']> = new Set(['progressing', 'held']);

export class Repeats {
  #last = '';
  #rounds = 0;

  /** @throws SlipwayError plan-loop when the very same was done three times in a row already */
  check(plan: Plan): void {
    if (this.#rounds < MAX_ROUNDS || keyOf(plan) !== this.#last) return;
    const work = workIn(plan);
    const shown = work.slice(0, SHOWN).map(({ address, reason }) => `${address} (${reason})`);
    const more = work.length > SHOWN ? ` and ${work.length - SHOWN} more` : '';
    throw new SlipwayError(
      'plan-loop',
      `The same was applied ${MAX_ROUNDS} times in a row and is due again: ${shown.join(', ')}${more}.`,
    );
  }

  /** After a plan was applied. What failed, or goes on step by step, has reasons of its own to be planned again. */
  note(plan: Plan, outcomes: readonly Outcome[]): void {
    const isDone = outcomes.every(({ error, unfinished, result }) => !error && !unfinished && !OPEN.has(result));
    const key = keyOf(plan);
    if (key === '' || !isDone) return this.forget();
    this.#rounds = key === this.#last ? this.#rounds + 1 : 1;
    this.#last = key;
  }

  forget(): void {
    this.#last = '';
    this.#rounds = 0;
  }
}

const workIn = ({ changes }: Plan): Plan['changes'] => changes.filter(({ action }) => action !== 'noop');

/** What would be done for which commit, wherever it starts from; `''` for nothing. */
function keyOf(plan: Plan): string {
  const work = workIn(plan).map(({ address, action, reason }) => [address, action, reason]);
  return work.length === 0 ? '' : JSON.stringify([plan.head, work]);
}
