/** One list of one route (its tools, say): aggregated, named, and kept as the bytes that clients get. */
import type { Annotations, Decide, Decision } from '../schemas/access.ts';
import { SlipwayError } from '../schemas/errors.ts';
import { META } from '../schemas/modern.ts';
import type { Item, ListState } from './upstream/listing.ts';
import { Naming } from './naming.ts';
import { drifted, mayBeAccepted } from './pins.ts';
import { JsonBytes } from './rpc/json.ts';
import { LISTS, type ListName, type ListRow } from './upstream/lists.ts';
import type { Server } from './upstream/server.ts';

/** Where something that a client named really is. */
export interface Target {
  readonly server: Server;
  /** Its own name there. */
  readonly name: string;
  /** As the server lists it. */
  readonly item: Item;
  /** As the route shows it, but for its name. */
  readonly shown: Item;
}

/** What is there, but not for those who see this catalog. */
export interface Refused {
  readonly target: Target;
  readonly decision: Decision;
}

interface Prepared {
  /** What it was made from: as long as these are the same, so is the result. */
  readonly states: readonly (ListState | undefined)[];
  /** The result of listing. */
  readonly json: JsonBytes;
  /** The same for MCP 2026-07-28, but for its end: how long it is fresh. Made when it is first asked for. */
  modern?: Buffer;
  readonly items: readonly Item[];
  readonly meta: Readonly<Record<string, unknown>>;
  readonly targets: ReadonlyMap<string, Target>;
  readonly refused: ReadonlyMap<string, Refused>;
}

export interface CatalogOptions {
  readonly list: ListName;
  readonly servers: readonly Server[];
  readonly naming: Naming;
  readonly warn: WarnOf;
  /** Which of a server's tools are open to those who see this catalog. */
  readonly decide: (server: Server) => Decide;
  /** What the gateway itself adds: listed after those of servers. */
  readonly own: () => readonly Item[];
  /** Names that are the gateway's: no server's may be called the same. */
  readonly isOwn: (name: string) => boolean;
}

/** A model calls only what is listed, so while a server waits for a person, it has a tool that says where to go. */
function itemsOf(list: ListName, { name }: Server, state: ListState | undefined): readonly Item[] {
  if (state?.items) return state.items;
  if (list !== 'tools' || !state?.locked) return [];
  const description = `${name} lets nobody in yet. This answers with the address at which a person can give their consent.`;
  return [{ name: 'authorize', description, inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } }];
}

/** URIs are not ours to change. */
const UNNAMED = new Naming(undefined);

export type WarnOf = (message: string, fields: Readonly<Record<string, unknown>>) => void;

export class Catalog {
  readonly #list: ListName;
  readonly #row: ListRow;
  readonly #servers: readonly Server[];
  readonly #naming: Naming;
  readonly #warn: WarnOf;
  readonly #decide: CatalogOptions['decide'];
  readonly #own: CatalogOptions['own'];
  readonly #isOwn: CatalogOptions['isOwn'];
  #prepared: Prepared | undefined;
  readonly #warned = new Set<string>();

  constructor({ list, servers, naming, warn, decide, own, isOwn }: CatalogOptions) {
    this.#list = list;
    this.#row = LISTS[list];
    this.#servers = servers;
    this.#naming = this.#row.prefixed ? naming : UNNAMED;
    this.#warn = warn;
    this.#decide = decide;
    this.#own = own;
    this.#isOwn = isOwn;
  }

  /** The result of listing. Asks, all at once, only the servers of which too little is known. */
  list(): JsonBytes | Promise<JsonBytes> {
    const loading = this.load();
    return loading ? loading.then(() => this.#current().json) : this.#current().json;
  }

  /** The same for MCP 2026-07-28. A route is for those who may use it, so its lists are nobody else's to keep. */
  modernList(version: string): JsonBytes | Promise<JsonBytes> {
    const loading = this.load();
    return loading ? loading.then(() => this.#modern(version)) : this.#modern(version);
  }

  #modern(version: string): JsonBytes {
    const prepared = this.#current();
    prepared.modern ??= Buffer.from(
      JSON.stringify({
        resultType: 'complete',
        cacheScope: 'private',
        [this.#row.field]: prepared.items,
        _meta: { ...prepared.meta, [META.serverInfo]: { name: 'slipway', version } },
      }).slice(0, -1),
    );
    const fresh = this.#servers.map((server) => server.freshFor(this.#list));
    const ttlMs = fresh.length === 0 ? 0 : Math.min(...fresh);
    return new JsonBytes(prepared.modern, Buffer.from(`,"ttlMs":${ttlMs}}`));
  }

  /** Makes sure that all servers that can be asked have been. @returns `undefined` where there is nothing to wait for */
  load(): Promise<unknown> | undefined {
    for (const server of this.#servers) server.renew(this.#list);
    const open = this.#servers.filter((server) => !server.settled(this.#list));
    return open.length > 0 ? Promise.all(open.map((server) => server.load(this.#list))) : undefined;
  }

  /** The target of a name that is known already. The hot path: no waiting, no searching. */
  known(name: string): Target | undefined {
    return this.#current().targets.get(name);
  }

  /** Why a name that is known cannot be used. */
  refused(name: string): Refused | undefined {
    return this.#current().refused.get(name);
  }

  /** Whether it is a tool that cannot be used: by rights, or because the route leaves it out. @param own its name at the server */
  refuses(server: string, own: string): boolean {
    if (this.#naming.hides(server, own)) return true;
    const found = this.#servers.find(({ name }) => name === server);
    return found !== undefined && this.refused(this.#naming.nameOf(server, own)) !== undefined;
  }

  /** All names that are known, with their targets, in the order of the list. */
  get targets(): ReadonlyMap<string, Target> {
    return this.#current().targets;
  }

  /**
   * The target of a name that is not known yet: the servers it may belong to are asked once.
   * @throws SlipwayError `upstream-unavailable` when the server it belongs to cannot be asked
   */
  async find(name: string): Promise<Target | undefined> {
    if (this.refused(name)) return undefined;
    const candidates = this.#servers.filter((server) => name.startsWith(this.prefixOf(server)));
    // The first that has it wins: a bad server must not hold up the tools of another.
    const searches = candidates.map(async (server) => {
      await (server.state(this.#list) === undefined ? server.load(this.#list) : server.refresh(this.#list));
      return (
        this.known(name) ??
        this.refused(name)?.target ??
        Promise.reject(new Error(`${server.name} has nothing of that name`))
      );
    });
    const target = await Promise.any(searches).catch(() => undefined);
    if (target) return this.known(name);
    for (const server of candidates) {
      const state = server.state(this.#list);
      if (state && !state.items && state.locked) return this.#behindLock(server, name);
      if (state && !state.items)
        throw new SlipwayError('upstream-unavailable', `${server.name}: ${state.failure}`, {
          hint: `See \`slipway describe server ${server.name}\`.`,
        });
    }
    return undefined;
  }

  /** What may be there once a person has let us in: a call of it asks for that. */
  #behindLock(server: Server, name: string): Target | undefined {
    if (name.length > this.#row.maxKey) return undefined;
    const own = name.slice(this.prefixOf(server).length);
    const isTool = this.#list === 'tools';
    if (isTool && (this.#naming.hides(server.name, own) || !this.#decide(server)(own, undefined).allowed))
      return undefined;
    if (isTool && !mayBeAccepted(server, own)) return undefined;
    const item = { inputSchema: {} };
    return { server, name: own, item, shown: item };
  }

  /** What stands before the names of a server's things. */
  prefixOf({ name }: Pick<Server, 'name'>): string {
    return this.#naming.prefixOf(name);
  }

  #current(): Prepared {
    const prepared = this.#prepared;
    return prepared && this.#isFresh(prepared) ? prepared : (this.#prepared = this.#prepare());
  }

  /** A plain loop: it is on the way of every call. */
  #isFresh({ states }: Prepared): boolean {
    for (let at = 0; at < states.length; at++) if (this.#servers[at]?.state(this.#list) !== states[at]) return false;
    return true;
  }

  #prepare(): Prepared {
    const states = this.#servers.map((server) => server.state(this.#list));
    const targets = new Map<string, Target>();
    const refused = new Map<string, Refused>();
    const items: Item[] = [];
    const unavailable: Record<string, string> = {};
    const { key, maxKey, field } = this.#row;
    const isTools = this.#list === 'tools';
    this.#servers.forEach((server, at) => {
      const state = states[at];
      const decide = isTools ? this.#decide(server) : undefined;
      const drift = isTools ? drifted(server, state) : undefined;
      if (state?.failure !== undefined) unavailable[server.name] = state.failure;
      for (const item of itemsOf(this.#list, server, state)) {
        const own = String(item[key]);
        const name = isTools ? this.#naming.nameOf(server.name, own) : this.prefixOf(server) + own;
        const taken = targets.has(name) || refused.has(name) || this.#isOwn(name);
        if (isTools && this.#naming.hides(server.name, own)) continue;
        const problem = name.length > maxKey ? 'its name is too long' : taken && 'its name is taken';
        if (problem) {
          this.#hidden(name, server.name, problem);
          continue;
        }
        const named = isTools ? this.#naming.shown(server.name, own, item) : item;
        const differs = drift?.(own);
        const shown = differs ? differs.mark(named) : named;
        const target = { server, name: own, item, shown };
        const said = decide?.(own, item['annotations'] as Annotations);
        const decision = said?.allowed === false ? said : differs?.refusal;
        if (decision) {
          refused.set(name, { target, decision });
          continue;
        }
        targets.set(name, target);
        items.push(name === own ? shown : { ...shown, [key]: name });
      }
    });
    items.push(...this.#own());
    const meta = Object.keys(unavailable).length > 0 ? { 'slipway/unavailable': unavailable } : {};
    const _meta = Object.keys(meta).length > 0 ? { _meta: meta } : {};
    return {
      states,
      targets,
      refused,
      items,
      meta,
      json: new JsonBytes(Buffer.from(JSON.stringify({ [field]: items, ..._meta }))),
    };
  }

  #hidden(name: string, server: string, problem: string): void {
    const warning = `${server} ${name}`;
    if (this.#warned.has(warning)) return;
    this.#warned.add(warning);
    this.#warn(`one of its ${this.#row.field} is hidden: ${problem}`, { name, server });
  }
}
