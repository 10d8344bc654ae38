/** Texts that models made, by what they were made of: in memory, and on disk where there is one. */
import { createHash } from 'node:crypto';
import type { LRUCache } from 'lru-cache';
import {
  CACHE_DEFAULTS,
  type CacheSettings,
  type CacheStats,
  type ClearRequest,
  type Cleared,
  type TextStore,
} from '../../schemas/cache.ts';

/**
 * What a text is kept by: SHA-256 of all that it was made of, in hex. All of it: of a part, somebody could find another
 * content with the same in a day, and so have a text about theirs shown as one about yours.
 */
export function textKey(...content: readonly string[]): string {
  const hash = createHash('sha256');
  // With lengths: `ab` and `c` are not `a` and `bc`.
  for (const part of content) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex');
}

/** Marks on disk that a text is used are not needed more often (ms). */
const TOUCH_EVERY = 60 * 60 * 1000;

interface Entry {
  readonly text: string;
  touched: number;
}

/** What the parts of the gateway use. */
export interface Texts {
  /** @param namespace `<provider>--<model>--<what for>` @param key see {@link textKey} */
  get(namespace: string, key: string): Promise<string | undefined>;
  /** Returns at once; what cannot be written is known until the end of the process. */
  set(namespace: string, key: string, text: string): void;
}

export class TextCache implements Texts {
  readonly #store: TextStore | undefined;
  #settings: CacheSettings = CACHE_DEFAULTS;
  #memory: Promise<LRUCache<string, Entry>> | undefined;
  /** What was set and is not on disk yet. */
  readonly #writing = new Set<Promise<unknown>>();
  hits = 0;
  misses = 0;

  /** @param store absent: memory only */
  constructor(store: TextStore | undefined) {
    this.#store = store;
  }

  /** Another snapshot is in force. */
  configure(settings: CacheSettings = CACHE_DEFAULTS): void {
    if (settings.maxMemoryEntries !== this.#settings.maxMemoryEntries) this.#memory = undefined;
    this.#settings = settings;
    this.#store?.configure(settings);
  }

  async get(namespace: string, key: string): Promise<string | undefined> {
    const memory = await this.#remembered();
    const id = idOf(namespace, key);
    const known = memory.get(id);
    if (known) {
      this.hits++;
      this.#touch(namespace, key, known);
      return known.text;
    }
    const text = await this.#store?.read(namespace, key);
    if (text === undefined) {
      this.misses++;
      return undefined;
    }
    this.hits++;
    memory.set(id, { text, touched: performance.now() });
    return text;
  }

  set(namespace: string, key: string, text: string): void {
    const written = this.#remembered().then((memory) => {
      memory.set(idOf(namespace, key), { text, touched: performance.now() });
      return this.#store?.write(namespace, key, text);
    });
    this.#writing.add(written);
    void written.finally(() => this.#writing.delete(written));
  }

  async clear(which: ClearRequest): Promise<Cleared> {
    await this.settled();
    // How old what is in memory is, the disk knows; it is read again.
    (await this.#memory)?.clear();
    return (await this.#store?.clear(which)) ?? { entries: 0, bytes: 0 };
  }

  async stats(): Promise<CacheStats['texts']> {
    const disk = await this.#store?.stats();
    const entries = (await this.#memory)?.size ?? 0;
    return {
      memory: { entries, maxEntries: this.#settings.maxMemoryEntries },
      ...(disk ? { disk } : {}),
      hits: this.hits,
      misses: this.misses,
    };
  }

  /** Resolves when all that was set is on disk, or cannot be. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing);
  }

  #remembered(): Promise<LRUCache<string, Entry>> {
    return (this.#memory ??= import('lru-cache').then(
      (module) => new module.LRUCache<string, Entry>({ max: this.#settings.maxMemoryEntries }),
    ));
  }

  /** One that is always found in memory would be the first to go from the disk. */
  #touch(namespace: string, key: string, entry: Entry): void {
    const now = performance.now();
    if (now - entry.touched < TOUCH_EVERY) return;
    entry.touched = now;
    void this.#store?.read(namespace, key);
  }
}

const idOf = (namespace: string, key: string): string => `${key} ${namespace}`;
