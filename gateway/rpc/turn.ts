/**
 * What leaves in one turn of the event loop leaves together. A write to a program that sleeps has to wake it, which takes more than the
 * write itself: a few µs, and 10 to 20 in a virtual machine. Programs that get all that there is for them at once are woken once for it.
 */

let some = false;

/**
 * Calls `send` at once if it is the first of this turn, so that who is alone waits for nobody; or else when the turn ends, in order.
 * @param send must not throw: nobody could catch it
 */
export function leave(send: () => void): void {
  if (some) return void setImmediate(send);
  some = true;
  setImmediate(turned);
  send();
}

function turned(): void {
  some = false;
}
