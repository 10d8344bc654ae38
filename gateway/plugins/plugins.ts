/**
 * What sessions keep for the Plugins of their routes, and the order in which hooks run: those of one session one after the other,
 * so that what one counts the next one knows. Clients that keep no session are their principal on a route. It is in memory only; a
 * session that is not known (any more) begins anew, with `onSessionCreate`.
 */
import type { Hook } from '../../schemas/plugins.ts';
import { HookFailed, runStep, tell, type Run } from './run-step.ts';
import type { RoutePlugin } from './route-plugin.ts';
import type { Whom } from './whom.ts';

/** Sessions that are known: in all, and of one principal. The one that was used least lately goes first. */
const MAX_PLACES = 1_000;
const MAX_OWN = 100;
/** How long one is known without a hook (ms), and how often that is looked at. */
const TTL = 3_600_000;
const SWEEP = 60_000;
/** Hooks of one session that wait for their turn. */
const MAX_WAITING = 50;

interface Place {
  readonly whom: Whom;
  readonly plugin: string;
  /** JSON of an object. */
  state: string;
  until: number;
  waiting: number;
  turn: Promise<unknown>;
}

/** What a hook said. `value` is absent where it changes nothing. */
export type Ran<T> = { readonly value?: T | undefined } | { readonly failed: HookFailed };

export class Plugins implements Disposable {
  readonly #places = new Map<string, Place>();
  readonly #ttlMs: number;
  readonly #sweeper: NodeJS.Timeout;

  /** @param ttlMs how long a session is known without a hook */
  constructor(ttlMs = TTL) {
    this.#ttlMs = ttlMs;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(SWEEP, ttlMs)).unref();
  }

  /** Runs a hook that the plugin has. Never rejects: what fails is told, and the caller decides what it means. */
  async run<T>(whom: Whom, plugin: RoutePlugin, run: Run<T>): Promise<Ran<T>> {
    const place = this.#placeOf(whom, plugin);
    if (place.waiting >= MAX_WAITING) {
      const failed = new HookFailed('busy', 'too many hooks of the session wait');
      tell(whom, plugin, run, performance.now(), failed);
      return { failed };
    }
    try {
      return { value: await this.#inTurn(place, () => steps(whom, plugin, place, run)) };
    } catch (failed) {
      return { failed: failed as HookFailed };
    }
  }

  /** A session begins, or a client that keeps none comes. */
  begin(whom: Whom, plugin: RoutePlugin): void {
    this.#placeOf(whom, plugin);
  }

  /** A client ended its session. */
  ended(session: string): void {
    this.#end(session);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#places.clear();
  }

  #placeOf(whom: Whom, plugin: RoutePlugin): Place {
    const key = keyOf(whom);
    const known = this.#places.get(key);
    const until = performance.now() + this.#ttlMs;
    // What one plugin noted is not for another that took its place.
    if (known?.plugin === plugin.name) {
      this.#places.delete(key);
      this.#places.set(key, known);
      return Object.assign(known, { until });
    }
    const place: Place = { whom, plugin: plugin.name, state: '{}', until, waiting: 0, turn: Promise.resolve() };
    this.#places.set(key, place);
    this.#makeRoom(whom.principal);
    void this.#lifecycle(place, plugin, 'onSessionCreate');
    return place;
  }

  async #inTurn<T>(place: Place, work: () => Promise<T>): Promise<T> {
    place.waiting++;
    const turn = place.turn.then(work);
    place.turn = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      place.waiting--;
    }
  }

  async #lifecycle(place: Place, plugin: RoutePlugin, hook: Hook): Promise<void> {
    if (!plugin.has(hook)) return;
    const run: Run<undefined> = { hook, input: { principal: place.whom.principal }, read: () => undefined };
    // One that fails is told, and holds up neither the session nor the others.
    await this.#inTurn(place, () => steps(place.whom, plugin, place, run)).catch(() => {});
  }

  /** Nobody can push out what others keep by opening sessions of their own. */
  #makeRoom(principal: string): void {
    const own = [...this.#places].filter(([, { whom }]) => whom.principal === principal);
    const [first] = this.#places.keys();
    const oldest = own.length > MAX_OWN ? own[0]?.[0] : this.#places.size > MAX_PLACES ? first : undefined;
    if (oldest !== undefined) this.#end(oldest);
  }

  #sweep(): void {
    const now = performance.now();
    for (const [key, { until }] of this.#places) if (until <= now) this.#end(key);
  }

  #end(key: string): void {
    const place = this.#places.get(key);
    if (!place) return;
    this.#places.delete(key);
    // Code that a commit took away meanwhile runs no more.
    const { state, path } = place.whom;
    const plugin = state.current.routes.get(path)?.plugin;
    if (plugin?.name === place.plugin && !state.closing) void this.#lifecycle(place, plugin, 'onSessionDestroy');
  }
}

const keyOf = ({ session, path, principal }: Whom): string => session ?? `${path} ${principal}`;

/** All of a hook's code, one after the other. One that fails stops no other of a session's own hooks; there is but one elsewhere. */
async function steps<T>(whom: Whom, plugin: RoutePlugin, place: Place, run: Run<T>): Promise<T | undefined> {
  let value: T | undefined;
  let failed: unknown;
  const all = run.step ? [run.step] : run.hook === 'tools' ? [] : plugin.steps(run.hook);
  for (const step of all) {
    try {
      const done = await runStep(whom, step, run, place.state);
      place.state = done.state;
      value = done.value;
    } catch (error) {
      failed = error;
    }
  }
  if (failed !== undefined) throw failed;
  return value;
}
