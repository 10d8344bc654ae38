/** A route as its callers see it: whom it does not concern sees less of it, or nothing. */
import type { Decide, Grant, Standing } from '../schemas/access.ts';
import type { LlmChoice } from '../schemas/llm.ts';
import { OWN_SERVER } from '../schemas/plugins.ts';
import type { Route, Snapshot } from '../schemas/snapshot.ts';
import { Catalog, type CatalogOptions } from './catalog.ts';
import { Gate } from './gate/gate.ts';
import { Naming } from './naming.ts';
import { Discovery } from './lazy/discovery.ts';
import { OwnTools } from './own/own-tools.ts';
import { OWN, pipelinesOf, type Pipelines } from './results/of-route.ts';
import { personalViews } from './personal-views.ts';
import { RoutePlugin } from './plugins/route-plugin.ts';
import { ownWords, Prompts, type OwnWords } from './prompts/prompts.ts';
import { LIST_NAMES, type ListName } from './upstream/lists.ts';
import type { Server } from './upstream/server.ts';

export type Warn = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** What callers of one kind see of a route. */
export interface RouteView {
  readonly path: string;
  readonly project: string | undefined;
  readonly instructions: string | undefined;
  /** Those that they may use, in the route's order. */
  readonly servers: readonly Server[];
  /** Those that it may know of, but not use. */
  readonly closed: readonly Server[];
  /** What joins server and tool in a tool's name, but for overrides; absent where names are kept as they are. */
  readonly separator: string | undefined;
  /** Whether names are the servers' own because there is but one server. */
  readonly single: Server | undefined;
  readonly catalogs: Readonly<Record<ListName, Catalog>>;
  /** The gateway's own tools; absent where there are none. */
  readonly own: OwnTools | undefined;
  /** What is listed instead of all tools; absent where those are. */
  readonly discovery: Discovery | undefined;
  /** Which language models may see what passes; absent: any. */
  readonly llm: LlmChoice | undefined;
  /** Which of its servers' results go through a pipeline; absent where none do. */
  readonly pipelines: Pipelines | undefined;
  /** The config's own Prompts; absent where there are none. */
  readonly prompts: Prompts | undefined;
  /** What sessions pass before they see tools; absent where there is none. */
  readonly gate: Gate | undefined;
  /** Code that takes part in what goes through; absent where there is none. */
  readonly plugin: RoutePlugin | undefined;
  /** Equal for views in which the same is open. */
  readonly key: string;
  /** As one caller has it, where servers want to know who comes; absent where all have it alike. */
  readonly as: ((principal: string) => RouteView) | undefined;
}

/** What routes have parts of. */
type Library = Pick<Snapshot, 'prompts' | 'pipelines' | 'plugins'>;

/** Views that are kept of one route: most callers share a few. Beyond that all are forgotten, and made again when they are missed. */
const MAX_VIEWS = 200;

/** One route, and how each caller sees it. Prepared once for all to whom the same is open. */
export class RouteViews {
  readonly path: string;
  readonly project: string | undefined;
  /** All of them, whoever may use them. */
  readonly servers: readonly Server[];
  readonly plugin: RoutePlugin | undefined;
  readonly #route: Route;
  readonly #prompts: Prompts | undefined;
  readonly #words: OwnWords;
  readonly #warn: Warn;
  readonly #pipelines: Pipelines | undefined;
  #byGrant = new WeakMap<Grant, RouteView | 'none'>();
  readonly #byKey = new Map<string, RouteView>();

  /** @param library all Prompts, Pipelines and Plugins that the config has */
  constructor(path: string, route: Route, servers: readonly Server[], library: Library, warn: Warn) {
    this.path = path;
    const prompts = Prompts.of(path, route, library);
    this.#words = ownWords(path, route, library);
    this.project = route.project;
    this.plugin = RoutePlugin.of(route, library.plugins);
    this.servers = servers;
    this.#route = route;
    this.#pipelines = pipelinesOf(route, servers, library.pipelines, prompts !== undefined);
    this.#prompts = prompts?.behind(this.#pipelines?.get(OWN));
    this.#warn = (message, fields) => warn(message, { route: path, ...fields });
  }

  /** Hot path: a look-up. @returns `undefined` where nothing here is for the caller */
  seenBy(grant: Grant): RouteView | undefined {
    const known = this.#byGrant.get(grant);
    if (known) return known === 'none' ? undefined : known;
    const view = this.#lookUp(grant);
    this.#byGrant.set(grant, view ?? 'none');
    return view;
  }

  #lookUp(grant: Grant): RouteView | undefined {
    const { project } = this;
    const standings = new Map(this.servers.map((server) => [server, grant.at(server.name, project)]));
    const some = [...standings.values()].some(({ view }) => view);
    if (!some && !mayUseEmpty(grant, project)) return undefined;
    const plugged = this.#plugged(grant);
    const key = JSON.stringify([...standings.values(), ...(plugged ? [plugged] : [])].map((standing) => standing.key));
    const known = this.#byKey.get(key);
    if (known) return known;
    if (this.#byKey.size >= MAX_VIEWS) {
      this.#byKey.clear();
      this.#byGrant = new WeakMap();
    }
    const view = this.#make(key, standings, plugged);
    this.#byKey.set(key, view);
    return view;
  }

  /** How a caller stands with the tools that the plugin brings; absent where it brings none. */
  #plugged(grant: Grant): Standing | undefined {
    return this.plugin && this.plugin.tools.length > 0 ? grant.at(OWN_SERVER, this.project) : undefined;
  }

  #make(key: string, standings: ReadonlyMap<Server, Standing>, plugged: Standing | undefined): RouteView {
    const { separator, instructions, discovery, overrides, llm } = this.#route;
    const naming = new Naming(separator, overrides);
    const known = [...standings.keys()].filter((server) => standings.get(server)?.view);
    const open = known.filter((server) => standings.get(server)?.run);
    const decide = (server: Server): Decide => standings.get(server)?.decide ?? REFUSE;
    const prompts = this.#prompts;
    // Where other tools are found through ours, ours are all that is listed.
    const besides: Partial<Record<ListName, Pick<CatalogOptions, 'own' | 'isOwn'>>> = {
      ...(discovery
        ? {}
        : { tools: { own: () => own?.items ?? [], isOwn: (name: string) => own?.get(name) !== undefined } }),
      ...(prompts ? { prompts: { own: () => prompts.items, isOwn: (name) => prompts.get(name) !== undefined } } : {}),
    };
    const catalog = (list: ListName): Catalog =>
      new Catalog({ list, servers: open, naming, warn: this.#warn, decide, ...(besides[list] ?? NOTHING) });
    const closed = known.filter((server) => !open.includes(server));
    const catalogs = Object.fromEntries(LIST_NAMES.map((list) => [list, catalog(list)])) as RouteView['catalogs'];
    const own = OwnTools.of({
      view: { catalogs, servers: open, closed, pipelines: this.#pipelines },
      route: this.#route,
      plugged: this.plugin &&
        plugged && { plugin: this.plugin, decide: ({ item }) => plugged.decide(item.name, item.annotations) },
    });
    const discovers = discovery !== undefined;
    const { gate: config } = this.#route;
    const parts = { words: this.#words, project: this.project, prompts, tools: catalogs.tools, discovers };
    return {
      path: this.path,
      project: this.project,
      instructions,
      servers: open,
      closed,
      separator,
      single: open.length === 1 && separator === undefined ? open[0] : undefined,
      catalogs,
      own,
      discovery: own && discovery && new Discovery(own),
      llm,
      pipelines: this.#pipelines,
      prompts,
      gate: own && config && new Gate({ ...parts, own, config }),
      plugin: this.plugin,
      key,
      as: personalViews(open, (personal) => {
        const theirs = ([server, standing]: [Server, Standing]): [Server, Standing] => [
          personal[open.indexOf(server)] ?? server,
          standing,
        ];
        return this.#make(key, new Map([...standings].map(theirs)), plugged);
      }),
    };
  }
}

const NOTHING: Pick<CatalogOptions, 'own' | 'isOwn'> = { own: () => [], isOwn: () => false };

const REFUSE: Decide = () => ({ allowed: false, level: 'grant' });

/** A route on which nothing runs yet is open to whoever may use what will. */
function mayUseEmpty(grant: Grant, project: string | undefined): boolean {
  return project === undefined
    ? grant.may('run', 'servers') || grant.may('view', 'servers')
    : grant.may('run', 'projects', project) || grant.may('view', 'projects', project);
}
