/** What is known of a server, and what is wanted of it: kept over snapshot swaps, so that neither is asked for twice. */
import type { Era } from '../../schemas/modern.ts';
import type { ServerEntry } from '../../schemas/snapshot.ts';
import { Listing } from './listing.ts';
import type { ListName } from './lists.ts';

/** As a server says in `initialize`; what it does not name it does not have. */
export type Capabilities = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

/** Who hears of lists. */
export interface Heard {
  /** Another one than clients may have seen. */
  changed(list: ListName): void;
  /** Another one, or the first. */
  listed(list: ListName): void;
}

/** True as long as the server's endpoints are the same. */
export class Known {
  readonly lists: Readonly<Record<ListName, Listing>>;
  capabilities: Capabilities | undefined;
  instructions: string | undefined;
  /** What it speaks; `undefined` until it was met. */
  era: Era | undefined;
  /** Until when nobody waits for a server that would not say what it can do (`performance.now()`). */
  silentUntil = 0;

  /** @param before what was known of the version before */
  constructor(entry: ServerEntry, { changed, listed }: Heard, before?: Known) {
    const listing = (list: ListName, known?: ServerEntry['tools']): Listing =>
      new Listing(known, (isNews) => (listed(list), isNews ? changed(list) : undefined), before?.lists[list]);
    this.lists = {
      tools: listing('tools', entry.tools),
      prompts: listing('prompts'),
      resources: listing('resources'),
      templates: listing('templates'),
    };
    this.capabilities = entry.capabilities as Capabilities | undefined;
    this.instructions = entry.instructions;
  }
}

export interface WishesOf {
  readonly uris: Iterable<string>;
  readonly level?: string | undefined;
}

/** What clients want of a server, whatever serves it: told to each new connection. */
export class Wishes {
  /** The least severe level that somebody wants to hear of. */
  level: string | undefined;
  readonly uris: Set<string>;
  /** Which of them the server is being told that nobody wants any more: a new wish must come after that. */
  readonly ending = new Map<string, Promise<unknown>>();

  constructor({ uris, level }: WishesOf = { uris: [] }) {
    this.uris = new Set(uris);
    this.level = level;
  }
}
