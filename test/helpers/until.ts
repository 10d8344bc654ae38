/** Waiting for something that is announced by an event. */

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
