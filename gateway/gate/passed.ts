/** Who has passed which gate, and what each has proposed meanwhile. It outlives snapshots: a change of the config shuts nobody out. */
import type { PromptEntry } from '../../schemas/snapshot.ts';
import type { Caller } from '../exchange.ts';

/** Callers that are remembered; beyond it the one that passed first is forgotten, and gated again. */
const MAX_CALLERS = 10_000;
/** Proposals of one caller, and of all; the oldest are forgotten first. How long one is remembered (ms). */
const MAX_OWN = 16;
const MAX_PROPOSERS = 1_000;
const REMEMBERED = 24 * 3_600_000;

/**
 * Whom a gate knows a caller as: by its credentials, so that clients that keep no session pass once; where nobody needs any, by its
 * session, if it has one.
 */
export function passOf({ identity, route }: Pick<Caller, 'identity' | 'route'>, session: string | undefined): string {
  const isNamed = identity.kind === 'token' || identity.kind === 'user';
  return `${route.path} ${isNamed ? identity.key : `${identity.key} ${session ?? ''}`}`;
}

/** Whether the pass is one caller's: all who need no credentials and keep no session share one. */
export const isOwn = ({ identity }: Pick<Caller, 'identity'>, session: string | undefined): boolean =>
  identity.kind === 'token' || identity.kind === 'user' || session !== undefined;

export class Passed {
  /** Until when, as `performance.now()` tells. */
  readonly #passes = new Map<string, { until: number }>();
  readonly #proposed = new Map<string, { until: number; readonly prompts: Map<string, PromptEntry> }>();

  /** Hot path. Whether the caller has passed; if so, its time counts from now. @param ttlMs how long without a request */
  has(pass: string, ttlMs: number): boolean {
    const found = this.#passes.get(pass);
    const now = performance.now();
    if (!found || found.until <= now) return false;
    found.until = now + ttlMs;
    return true;
  }

  /** @returns whether it is new */
  add(pass: string, ttlMs: number): boolean {
    if (this.has(pass, ttlMs)) return false;
    this.#passes.delete(pass);
    this.#passes.set(pass, { until: performance.now() + ttlMs });
    const [oldest] = this.#passes.keys();
    if (this.#passes.size > MAX_CALLERS && oldest !== undefined) this.#passes.delete(oldest);
    return true;
  }

  /** What the caller proposed, by name. */
  proposed(pass: string): ReadonlyMap<string, PromptEntry> {
    const found = this.#proposed.get(pass);
    if (!found || found.until > performance.now()) return found?.prompts ?? NONE;
    this.#proposed.delete(pass);
    return NONE;
  }

  propose(pass: string, name: string, prompt: PromptEntry): void {
    const prompts = new Map(this.proposed(pass));
    prompts.delete(name);
    prompts.set(name, prompt);
    const [first] = prompts.keys();
    if (prompts.size > MAX_OWN && first !== undefined) prompts.delete(first);
    this.#proposed.delete(pass);
    this.#proposed.set(pass, { until: performance.now() + REMEMBERED, prompts });
    const [oldest] = this.#proposed.keys();
    if (this.#proposed.size > MAX_PROPOSERS && oldest !== undefined) this.#proposed.delete(oldest);
  }
}

const NONE: ReadonlyMap<string, PromptEntry> = new Map();
