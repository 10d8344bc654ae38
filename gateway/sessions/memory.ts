/**
 * What sessions said that must outlive the gateway, because they do: a client that comes back with the id of its session is not told
 * that there was a restart, so it waits for updates that it asked for before, and one that ended its session has ended it for good.
 */
import { keptSessionsSchema } from '../../schemas/kept-sessions.ts';
import type { Log } from '../../schemas/log.ts';
import type { Store } from '../../schemas/store.ts';
import { EndedSessions } from './ended.ts';
import { isLevel, Levels } from './levels.ts';
import { Subscriptions } from './subscriptions.ts';

/** A crash forgets no more than what was said in so long (ms); where there is much to write, it is written less often. */
const PAUSE = 1_000;
const PAUSE_FOR_EACH = 0.1;

export interface MemoryOptions {
  readonly store: Store | undefined;
  readonly log: Log;
  /** Called when nobody wants to hear of a resource any more. */
  onUnused(server: string, uri: string): void;
}

export class SessionMemory {
  readonly ended: EndedSessions;
  readonly levels: Levels;
  readonly subscriptions: Subscriptions;
  readonly #store: Store | undefined;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | undefined;
  /** Whether something changed while it was written. */
  #isStale = false;

  constructor({ store, log, onUnused }: MemoryOptions) {
    this.#store = store;
    this.#log = log;
    this.ended = new EndedSessions(this.#changed);
    this.levels = new Levels(this.#changed);
    this.subscriptions = new Subscriptions(onUnused, this.#changed);
    if (store) this.#restore(store.read());
  }

  /** What clients wait for of a server that clients share. */
  wishesOf(server: string): { uris: string[]; level: string | undefined } {
    const uris = new Set(this.subscriptions.all.flatMap(([, name, uri]) => (name === server ? [uri] : [])));
    return { uris: [...uris], level: this.levels.most };
  }

  /** Writes what was not written yet. */
  async close(): Promise<void> {
    this.subscriptions.close();
    await this.#saving;
    if (this.#timer) await this.#save();
  }

  #restore(file: unknown): void {
    if (file === undefined) return;
    const { success, data } = keptSessionsSchema.safeParse(file);
    if (!success) return this.#log('warn', 'what sessions want to hear of cannot be read: they have to say it again');
    const now = Date.now();
    for (const [session, until] of data.ended) if (until > now) this.ended.add(session, until);
    for (const [session, level, until] of data.levels)
      if (until > now && isLevel(level)) this.levels.set(session, level, until);
    for (const [session, server, uri, until] of data.subscriptions)
      if (until > now && !this.ended.has(session)) this.subscriptions.add(session, server, uri, until);
  }

  readonly #changed = (): void => {
    if (!this.#store || this.#timer) return;
    if (this.#saving) return void (this.#isStale = true);
    this.#timer = setTimeout(() => void this.#save(), PAUSE + this.subscriptions.size * PAUSE_FOR_EACH).unref();
  };

  /** One after the other. What cannot be written is written with what comes next. */
  #save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isStale = false;
    this.#saving = this.#write().finally(() => {
      this.#saving = undefined;
      if (this.#isStale) this.#changed();
    });
    return this.#saving;
  }

  async #write(): Promise<void> {
    const now = Date.now();
    // What ends with its stream ends with the gateway.
    const lasting = <T extends readonly unknown[]>(all: T[]): T[] =>
      all.filter((each) => each.at(-1) !== Infinity && Number(each.at(-1)) > now);
    const json = JSON.stringify({
      formatVersion: 1,
      ended: lasting(this.ended.all),
      levels: lasting(this.levels.all),
      subscriptions: lasting(this.subscriptions.all),
    });
    try {
      await this.#store?.write(json);
    } catch (error) {
      this.#isStale = true;
      this.#log('error', 'what sessions want to hear of cannot be written', { error: String(error) });
    }
  }
}
