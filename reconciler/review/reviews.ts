/**
 * Reviews: pushes are heard of at once, and what a pull request would do is told where it is discussed. Whatever goes wrong
 * here is told in the status and tried again; no reconcile ever waits for it.
 */
import { createHmac } from 'node:crypto';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { ReviewStatus } from '../../schemas/status.ts';
import type { OpenSecret, SecretUse } from '../../schemas/upstream-auth.ts';
import { limiter, pause } from '../async.ts';
import type { World } from '../world.ts';
import { unconcerned } from './follows.ts';
import type { Forge, ForgeClient, HookEvent } from './forges/forge.ts';
import { openForge, repositoryOf } from './forge-client.ts';
import { FORGES } from './forges/index.ts';
import { HookDoor } from './hook-door.ts';
import { code } from './markdown.ts';
import { planRequest, type Planned } from './plan-request.ts';
import type { ReviewSettings } from './settings.ts';

export interface ReviewsOptions {
  readonly world: World;
  /** Looks at the source now. */
  readonly sync: () => Promise<unknown>;
  /** Looks at workspaces that a push is about. @returns their names */
  readonly pushed?: (repository: string, ref: string) => readonly string[];
  readonly secrets: OpenSecret;
  /** Marks the comments of this Slipway: nobody can plant one beforehand that it would take for its own. */
  readonly key: Uint8Array;
  /** Between tries (ms); after the last, it is given up until the next push. */
  readonly pausesMs?: readonly number[];
  /** Unix time in ms. */
  readonly now?: () => number;
}

const PAUSES_MS = [1000, 5000, 30_000, 120_000, 600_000];
/** What is kept of requests, and how many may wait: whoever can open one can open many. */
const MAX_REQUESTS = 50;

type Row = ReviewStatus['requests'][0];

interface Task {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export class Reviews implements AsyncDisposable {
  readonly #options: ReviewsOptions;
  readonly #door: HookDoor;
  readonly #tasks = new Map<number, Task>();
  /** By number, those heard of last at the end. */
  readonly #rows = new Map<number, Row>();
  /** What the forge was told last, by number. */
  readonly #said = new Map<number, string>();
  /** One at a time: they share a repository, and reconciling goes first. */
  readonly #planning = limiter(1);
  #lastHook: ReviewStatus['lastHook'];
  #lastRefused: ReviewStatus['lastRefused'];
  #isClosed = false;

  constructor(options: ReviewsOptions) {
    this.#options = options;
    this.#door = new HookDoor({
      settings: () => this.#settings,
      secrets: options.secrets,
      onEvent: (event) => this.#heard(event),
      onKnock: (outcome, isGenuine) => this.#knocked(outcome, isGenuine),
      ...(options.now ? { now: options.now } : {}),
    });
  }

  /** For the gateway's listener. */
  get hooks(): HookDoor['answer'] {
    return this.#door.answer;
  }

  get #settings(): ReviewSettings | undefined {
    return this.#options.world.compiled.draft.review;
  }

  /** How it stands; undefined where nothing is configured. */
  status(): ReviewStatus | undefined {
    const settings = this.#settings;
    if (!settings) return undefined;
    return {
      forge: settings.forge,
      ...(this.#lastHook ? { lastHook: this.#lastHook } : {}),
      ...(this.#lastRefused ? { lastRefused: this.#lastRefused } : {}),
      requests: [...this.#rows.values()],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const tasks = [...this.#tasks.values()];
    for (const { stop } of tasks) stop.abort(new SlipwayError('shutting-down'));
    await Promise.all(tasks.map(({ done }) => done));
  }

  /** @returns what becomes of it @throws SlipwayError concurrency-limited */
  #heard(event: HookEvent): string {
    const { world, sync, pushed } = this.#options;
    const workspaces = event.type === 'push' ? (pushed?.(event.repository, event.ref) ?? []) : [];
    const why = unconcerned(event, world.source, repositoryOf(this.#settings ?? {}, world.source.remote));
    if (why !== undefined && workspaces.length > 0) return `workspaces are looked at: ${workspaces.join(', ')}`;
    if (why !== undefined) return `nothing to do: ${why}`;
    if (event.type === 'push') {
      // Its outcome is in the status. What is open is to be merged into something else now.
      void sync()
        .then(() => this.#again())
        .catch(() => {});
      return 'the config is looked at';
    }
    if (event.isOpen) return this.#begin(event.number);
    this.#tasks.get(event.number)?.stop.abort(new SlipwayError('superseded'));
    this.#rows.delete(event.number);
    this.#said.delete(event.number);
    return 'it is closed';
  }

  /** Plans of the same text are not told anew. */
  #again(): void {
    const open = [...this.#rows.keys()]; // Which changes on the way.
    for (const number of open) if (!this.#tasks.has(number) && this.#tasks.size < MAX_REQUESTS) this.#begin(number);
  }

  #knocked(outcome: string, isGenuine: boolean): void {
    const at = new Date().toISOString();
    if (isGenuine) this.#lastHook = { at, outcome };
    // Strangers do not have the status made anew: it tells of them when it is.
    else this.#lastRefused = { at, reason: outcome };
    if (isGenuine) this.#options.world.changed();
  }

  #begin(number: number): string {
    const settings = this.#settings;
    const forge = settings && FORGES[settings.forge];
    if (!settings || !forge?.headRef || this.#isClosed) return 'nothing to do: there are no requests';
    const before = this.#tasks.get(number);
    if (!before && this.#tasks.size >= MAX_REQUESTS)
      throw new SlipwayError('concurrency-limited', 'Too many requests wait for their plans.');
    // A newer push: the plan of the older one is worth nothing, and must not be told after it.
    before?.stop.abort(new SlipwayError('superseded'));
    const stop = new AbortController();
    const done = (before?.done ?? Promise.resolve())
      .then(() => this.#review(number, { settings, forge, signal: stop.signal }))
      .catch((error: unknown) =>
        this.#note(number, { state: 'failed', error: toSlipwayError(error).message }, stop.signal),
      )
      .finally(() => {
        if (this.#tasks.get(number) === task) this.#tasks.delete(number);
      });
    const task = { stop, done };
    this.#tasks.set(number, task);
    this.#note(number, { state: 'planning' }, stop.signal);
    return 'its plan is made';
  }

  async #review(number: number, { settings, forge, signal }: Course): Promise<void> {
    const { world } = this.#options;
    signal.throwIfAborted();
    const ref = forge.headRef?.(number) ?? '';
    const planned = await this.#retrying(number, signal, () => this.#planning(() => planRequest(world, ref, signal)));
    const { head, base, verdict, summary } = planned;
    this.#note(number, { state: 'planned', head, base, verdict, summary }, signal);
    const { token } = settings;
    if (!token || !forge.connect) return;
    const said = [settings.forge, settings.url, settings.repository, head, planned.text].join(' ');
    if (this.#said.get(number) === said) return this.#note(number, { state: 'told' }, signal);
    const client = await this.#retrying(number, signal, () => this.#connect(settings, token));
    const url = await this.#retrying(number, signal, () => this.#tell(client, number, planned, signal));
    this.#said.set(number, said);
    this.#note(number, { state: 'told', url }, signal);
  }

  /** A comment that is refused keeps nobody from seeing the status. @returns the address of the comment */
  async #tell(client: ForgeClient, number: number, planned: Planned, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const { head, base, verdict, summary, text } = planned;
    const title = `### Slipway: plan of ${code(head.slice(0, 8))} merged into ${code(base.slice(0, 8))}`;
    const foot = `<sub>Against what ran at ${new Date().toISOString()}. Written anew with each push.</sub>`;
    const told = await client.comment(number, this.#marker(number), `${title}\n\n${text}\n\n${foot}`).then(
      (url) => ({ url }),
      (error: unknown) => ({ error }),
    );
    signal.throwIfAborted();
    await client.report(head, { verdict, summary, ...('url' in told && told.url !== '' ? { url: told.url } : {}) });
    if ('error' in told) throw told.error;
    return told.url;
  }

  async #connect(settings: ReviewSettings, token: SecretUse): Promise<ForgeClient> {
    const { secrets, world } = this.#options;
    return openForge(settings, await secrets(token), world.source.remote);
  }

  /**
   * Planted comments: whoever writes one with our marker before we do could change, later, what we wrote into it. So the
   * marker is not to be guessed.
   */
  #marker(number: number): string {
    const mark = createHmac('sha256', this.#options.key).update(`slipway plan ${number}`).digest('hex');
    return `<!-- slipway:plan ${mark.slice(0, 32)} -->`;
  }

  async #retrying<T>(number: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (const ms of this.#options.pausesMs ?? PAUSES_MS) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        const known = toSlipwayError(error);
        if (known.row.next === 'fix') throw known;
        this.#note(number, { error: known.message }, signal);
        await pause(ms * (0.8 + 0.4 * Math.random()), signal);
      }
    }
    return work();
  }

  /** What is not said anew stays, but for an error: it is over, or it is told again. */
  #note(number: number, more: Partial<Row>, signal: AbortSignal): void {
    if (signal.aborted) return;
    const { error: _, ...before } = this.#rows.get(number) ?? { number, state: 'planning' as const };
    this.#rows.delete(number);
    this.#rows.set(number, { ...before, ...more, number, at: new Date().toISOString() });
    for (const old of this.#rows.keys()) {
      if (this.#rows.size <= MAX_REQUESTS || this.#tasks.has(old)) continue;
      this.#rows.delete(old);
      this.#said.delete(old);
    }
    if (more.error !== undefined) this.#options.world.log('warn', `review of request ${number}: ${more.error}`);
    this.#options.world.changed();
  }
}

interface Course {
  readonly settings: ReviewSettings;
  readonly forge: Forge;
  readonly signal: AbortSignal;
}
