/** Waiting for something: for what an event announces, and for what nothing does. */
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves once `condition` holds; it is looked at now and after each event of `subscribe`. */
export async function until(subscribe: (listener: () => void) => Disposable, condition: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (condition()) resolve();
  };
  using subscription = subscribe(look);
  void subscription;
  look();
  await promise;
}

/**
 * For what nothing announces: asks again and again, with short pauses.
 * @returns the first answer that is neither `undefined` nor `false` @throws after `ms`
 */
export async function eventually<T>(
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 40_000,
): Promise<T> {
  for (const deadline = Date.now() + ms; ;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${String(ask)}`);
    await delay(20);
  }
}
