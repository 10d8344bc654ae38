/** Calls that are running, so that their client, or a shutdown, can cancel them. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Id } from '../../schemas/jsonrpc.ts';

/** One that is running, until it is removed. */
export interface RunningCall {
  readonly sessionId: string;
  readonly id: Id;
  readonly controller: AbortController;
  /** Where it stands among the others. */
  at: number;
}

/** By no key: calls come and go all the time, and hardly ever is one cancelled, which then may take a look at each. */
export class Calls {
  readonly #running: RunningCall[] = [];

  /** @returns what to {@link remove} */
  add(sessionId: string, id: Id, controller: AbortController): RunningCall {
    const call = { sessionId, id, controller, at: this.#running.length };
    this.#running.push(call);
    return call;
  }

  /** Once. The last takes its place. */
  remove({ at }: RunningCall): void {
    const last = this.#running.pop() as RunningCall;
    if (last.at === at) return;
    last.at = at;
    this.#running[at] = last;
  }

  /** Cancels a call of the same session only: a request id is no secret. `1` and `"1"` are two ids. @param reason in the client's words */
  cancel(sessionId: string, id: unknown, reason?: string): void {
    const found = this.#running.filter((call) => call.id === id && call.sessionId === sessionId);
    for (const { controller } of found) controller.abort(new SlipwayError('cancelled', reason));
  }

  abortAll(reason: SlipwayError): void {
    for (const { controller } of this.#running.slice()) controller.abort(reason);
  }
}
