/** Long work that several want at once is done once. */
import { untilAborted } from '../../../async.ts';

interface Flight<T> {
  readonly result: Promise<T>;
  readonly cancel: AbortController;
  waiting: number;
}

export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * Starts the work, or waits for that of the same key. Who is aborted leaves; with the last one the work is aborted.
   * @throws what the work throws, or the signal's reason
   */
  async join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.waiting++;
    try {
      return await untilAborted(flight.result, signal);
    } finally {
      flight.waiting--;
      if (flight.waiting === 0) this.#end(key, flight);
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const cancel = new AbortController();
    const flight = { result: work(cancel.signal), cancel, waiting: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  /** Whoever comes from now on starts anew. */
  #end(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.cancel.abort();
  }
}
