/**
 * Those whose calls a server has, and whom it may mean when it asks or says something without telling for whose sake. Cross-client leak:
 * on a shared server what is meant for one client must reach no other, so it is the only one that it can be for, or nobody: never a guess.
 */
import { SlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure, type RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Asked, Client } from '../../schemas/peer.ts';
import { holderOf } from './isolated.ts';
import type { Audience } from './link.ts';

/** How long a server may still work on a call that we gave up, for all that we know (ms). */
const WORKS_ON = 15 * 60_000;
/** How long after an answer a server may still talk of the call (ms). */
const AFTERWORDS = 5_000;

export class Callers {
  /** Once for each call. An array: hashing would cost more than the search does. */
  readonly #inFlight: Client[] = [];
  /** By principal: until when calls of theirs may go on that nobody waits for. */
  readonly #givenUp = new Map<string, number>();
  /** By client: aborted when the last of its calls has ended. Of those only that were asked something. */
  readonly #idle = new Map<string, AbortController>();
  /** The principal who was answered last, and when; and when it was last another one than before. */
  #last: string | undefined;
  #lastAt = -Infinity;
  #changedAt = -Infinity;

  began(client: Client): void {
    this.#inFlight.push(client);
  }

  answered(client: Client, now: number): void {
    this.#inFlight.splice(this.#inFlight.indexOf(client), 1);
    if (this.#idle.size > 0) this.#ended(client.id);
    if (this.#last !== client.principal && now - this.#lastAt < AFTERWORDS) this.#changedAt = now;
    this.#last = client.principal;
    this.#lastAt = now;
  }

  /** We do not wait any more for what it asked. That the server has stopped as well, it does not say. */
  gaveUp(client: Client, now: number): void {
    this.answered(client, now);
    for (const [principal, until] of this.#givenUp) if (until <= now) this.#givenUp.delete(principal);
    this.#givenUp.set(client.principal, now + WORKS_ON);
  }

  /** Whom a question is for, seen through its latest call. @param owner the one client that it can be, where the question tells */
  asked(owner?: string): Client | undefined {
    return owner === undefined ? this.#only(performance.now()) : this.latest(owner);
  }

  /** The latest call here, of this client if one is given: for instances that only one client has. */
  latest(owner?: string): Client | undefined {
    return this.#inFlight.findLast(({ id }) => owner === undefined || id === owner);
  }

  /**
   * Asks a client for as long as any of its calls runs here. Which of them it is about, only the server knows: so none of them is slow
   * while a person thinks.
   */
  async ask(client: Client, request: RpcRequest, asked: Asked): Promise<unknown> {
    const own = holderOf(client.id);
    const others = this.#inFlight.filter((other) => other !== client && holderOf(other.id) === own);
    for (const other of others) other.waits(true);
    try {
      return await client.request(request, { ...asked, until: this.#whileBusy(client.id) });
    } finally {
      for (const other of others) other.waits(false);
    }
  }

  /** Aborts when none of a client's calls runs here any more. */
  #whileBusy(id: string): AbortSignal {
    const idle = this.#idle.get(id) ?? new AbortController();
    this.#idle.set(id, idle);
    return idle.signal;
  }

  /** What a server hears whose question is for nobody that is known. @param task the one that it belongs to */
  refusal({ method }: RpcRequest, task: string | undefined): RpcFailure {
    const why = task === undefined ? this.#why : 'who has the task does not wait for it';
    const message = `${method} was refused: ${why}, so it is not known whom it is meant for`;
    return new RpcFailure({ code: RPC.invalidRequest, message });
  }

  get #why(): string {
    if (this.#inFlight.length === 0) return 'no client has a call in flight here';
    if (new Set(this.#inFlight.map(({ id }) => holderOf(id))).size === 1 && this.#inFlight.length > 1)
      return 'a client that keeps no session has more than one call in flight here';
    return 'more than one client has a call in flight here, or had one that may still run';
  }

  /** Whom a notification is for. What is said just after an answer is about that call, or about one that runs. */
  told(): Pick<Audience, 'client' | 'busy' | 'after'> {
    const now = performance.now();
    const after = now - this.#lastAt < AFTERWORDS ? this.#last : undefined;
    const isMixed = after !== undefined && now - this.#changedAt < AFTERWORDS;
    if (this.#inFlight.length > 0) {
      const only = isMixed ? undefined : this.#only(now);
      return { client: after === undefined || after === only?.principal ? only : undefined, busy: true };
    }
    const about = new Set(after === undefined ? [] : [after]);
    for (const [principal, until] of this.#givenUp) if (until > now) about.add(principal);
    const [only] = about;
    return { client: undefined, busy: isMixed || about.size > 1, ...(only === undefined ? {} : { after: only }) };
  }

  #ended(id: string): void {
    if (this.#inFlight.some((other) => other.id === id)) return;
    this.#idle.get(id)?.abort(new SlipwayError('cancelled', 'The call has ended.'));
    this.#idle.delete(id);
  }

  #only(now: number): Client | undefined {
    const latest = this.#inFlight.at(-1);
    if (latest === undefined || this.#others(latest.principal, now)) return undefined;
    return this.#inFlight.every(({ id }) => id === latest.id) ? latest : undefined;
  }

  /** Whether a call that was given up may go on, of another principal. */
  #others(own: string | undefined, now: number): boolean {
    for (const [principal, until] of this.#givenUp) if (principal !== own && until > now) return true;
    return false;
  }
}
