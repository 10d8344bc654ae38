/**
 * What was split is kept for as long as an agent may read on: 5 minutes, in memory only, each for the one who got it. Memory exhaustion:
 * bounded in number and bytes over all; what was used longest ago goes first.
 */
import { randomBytes } from 'node:crypto';
import type { LRUCache } from 'lru-cache';
import type { PipelineInput } from '../../schemas/pipelines.ts';
import { leavesOf, type Part } from './part.ts';

export interface Kept {
  readonly id: string;
  /** Whose it is: `Identity.key`. */
  readonly principal: string;
  readonly route: string;
  readonly server: string;
  /** The tool, or the prompt, that gave it: the server's own name. */
  readonly name: string;
  readonly input: PipelineInput;
  /** How sections can be had besides by get_section. */
  readonly again?: string | undefined;
  readonly result: Part;
}

export interface SectionsOptions {
  /** ms. */
  readonly ttl?: number;
  readonly max?: number;
  /** Of memory. */
  readonly maxBytes?: number;
}

/** What a part takes besides its text (bytes, about). */
const AROUND = 200;

export class Sections {
  readonly #options: Required<SectionsOptions>;
  #cache: Promise<LRUCache<string, Kept>> | undefined;

  constructor(options: SectionsOptions = {}) {
    this.#options = { ttl: 5 * 60_000, max: 2_000, maxBytes: 128 * 2 ** 20, ...options };
  }

  /** @returns its id. @throws Error for what is too large to be kept: nobody could read on then */
  async keep(given: Omit<Kept, 'id'>): Promise<string> {
    this.#cache ??= this.#open();
    const cache = await this.#cache;
    // Guessing: it is bound to its principal besides.
    const id = randomBytes(12).toString('base64url');
    const size = sizeOf(given.result);
    cache.set(id, { id, ...given }, { size });
    if (!cache.has(id)) throw new Error(`its sections are too large to be kept (${size} bytes)`);
    return id;
  }

  /** Another's is as unknown as one that never was. */
  async find(id: string, { principal, route }: Pick<Kept, 'principal' | 'route'>): Promise<Kept | undefined> {
    const kept = (await this.#cache)?.get(id);
    return kept?.principal === principal && kept.route === route ? kept : undefined;
  }

  async #open(): Promise<LRUCache<string, Kept>> {
    const { LRUCache: Cache } = await import('lru-cache');
    const { ttl, max, maxBytes } = this.#options;
    return new Cache({ ttl, max, maxSize: maxBytes, maxEntrySize: maxBytes / 2, ttlAutopurge: true });
  }
}

/** Of memory: a character takes two bytes at most. */
function sizeOf(result: Part): number {
  let size = AROUND;
  for (const { text = '', title, summary = '' } of leavesOf(result))
    size += AROUND + 2 * (text.length + title.length + summary.length);
  return size;
}
