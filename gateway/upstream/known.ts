/** What is known of a server, and what is wanted of it: kept over snapshot swaps, so that neither is asked for twice. */
import type { Era } from '../../schemas/modern.ts';
import type { ServerEntry } from '../../schemas/snapshot.ts';
import { Listing } from './listing.ts';
import type { ListName } from './lists.ts';

/** As a server says in `initialize`; what it does not name it does not have. */
export type Capabilities = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;

/** True as long as the server's endpoints are the same. */
export class Known {
  readonly lists: Readonly<Record<ListName, Listing>>;
  capabilities: Capabilities | undefined;
  instructions: string | undefined;
  /** What it speaks; `undefined` until it was met. */
  era: Era | undefined;
  /** Until when nobody waits for a server that would not say what it can do (`performance.now()`). */
  silentUntil = 0;

  constructor(entry: ServerEntry, onChange: (list: ListName) => void) {
    this.lists = {
      tools: new Listing(entry.tools, () => onChange('tools')),
      prompts: new Listing(undefined, () => onChange('prompts')),
      resources: new Listing(undefined, () => onChange('resources')),
      templates: new Listing(undefined, () => onChange('templates')),
    };
    this.capabilities = entry.capabilities as Capabilities | undefined;
    this.instructions = entry.instructions;
  }
}

/** What clients want of a server, whatever serves it: told to each new connection. */
export class Wishes {
  /** The least severe level that somebody wants to hear of. */
  level: string | undefined;
  readonly uris = new Set<string>();
}
