/**
 * What leaves in one turn of the event loop leaves together. A write to a program that sleeps has to wake it, which takes more than the
 * write itself: a few µs, and 10 to 20 in a virtual machine. Programs that get all that there is for them at once are woken once for it.
 */

/** What leaves when the turn ends; `undefined` before the first of a turn. */
let waiting: (() => void)[] | undefined;

/**
 * Calls `send` at once if it is the first of this turn, so that who is alone waits for nobody; or else when the turn ends, in order.
 * @param send must not throw: nobody could catch it
 */
export function leave(send: () => void): void {
  if (waiting) return void waiting.push(send);
  waiting = [];
  setImmediate(turned);
  send();
}

/** One after the other, with nothing between: what each of them does next is done for all of them together as well. */
function turned(): void {
  const sends = waiting;
  waiting = undefined;
  for (const send of sends ?? []) send();
}
