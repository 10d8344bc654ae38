/** What a route calls the things of its servers, and which of them it shows: the config's overrides, made ready to be asked. */
import { glob } from '../schemas/glob.ts';
import type { Route } from '../schemas/snapshot.ts';
import type { Item } from './upstream/listing.ts';

type Overrides = NonNullable<Route['overrides']>;

export class Naming {
  readonly #separator: string | undefined;
  readonly #overrides: Overrides;
  readonly #hidden: ReadonlyMap<string, readonly ((tool: string) => boolean)[]>;

  /** @param separator what stands between a server's name and its own names; absent: those are kept as they are */
  constructor(separator: string | undefined, overrides: Overrides = {}) {
    this.#separator = separator;
    this.#overrides = overrides;
    this.#hidden = new Map(Object.entries(overrides).map(([server, { hide = [] }]) => [server, hide.map(glob)]));
  }

  /** What stands before each name of the server's. */
  prefixOf(server: string): string {
    if (this.#separator === undefined) return '';
    return this.#overrides[server]?.prefix ?? server + this.#separator;
  }

  /** What clients call a tool. @param own its name at the server */
  nameOf(server: string, own: string): string {
    return this.prefixOf(server) + (this.#toolOf(server, own)?.name ?? own);
  }

  /** A tool as clients see it, but for its name. */
  shown(server: string, own: string, item: Item): Item {
    const description = this.#toolOf(server, own)?.description;
    return description === undefined ? item : { ...item, description };
  }

  /** Whether the route leaves it out: it is neither listed nor can it be called here. */
  hides(server: string, own: string): boolean {
    return this.#hidden.get(server)?.some((fits) => fits(own)) ?? false;
  }

  #toolOf(server: string, own: string) {
    const tools = this.#overrides[server]?.tools;
    return tools && Object.hasOwn(tools, own) ? tools[own] : undefined;
  }
}
