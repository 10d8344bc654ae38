/** What a route shows instead of all its tools: a few of the gateway's own, prepared once as the bytes that clients get. */
import { META } from '../../schemas/modern.ts';
import type { Route } from '../../schemas/snapshot.ts';
import { JsonBytes } from '../rpc/json.ts';
import { LAZY } from './lazy.ts';
import type { Front, MetaTool } from './meta-tool.ts';
import { SEARCH } from './search.ts';
import type { Item } from '../upstream/listing.ts';

type Mode = NonNullable<Route['discovery']>['mode'];

const MODES: Readonly<Record<Mode, readonly MetaTool[]>> = { lazy: LAZY, search: SEARCH };

/** These tools change with the config alone, which tells its listeners: how long they stay the same (ms). */
const FRESH = 60_000;

export class Discovery implements Front {
  readonly view: Front['view'];
  readonly summaries: number | undefined;
  readonly #tools: ReadonlyMap<string, MetaTool>;
  #json: JsonBytes | undefined;
  #modern: JsonBytes | undefined;

  constructor(view: Front['view'], { mode, summaries }: NonNullable<Route['discovery']>) {
    this.view = view;
    this.summaries = summaries;
    this.#tools = new Map(MODES[mode].map((tool) => [tool.name, tool]));
  }

  tool(name: string): MetaTool | undefined {
    return this.#tools.get(name);
  }

  /** Equal where the same is listed. */
  get fingerprint(): string {
    return JSON.stringify(this.#defined());
  }

  /** The result of `tools/list`. */
  list(): JsonBytes {
    return (this.#json ??= bytesOf({ tools: this.#defined() }));
  }

  /** The same for MCP 2026-07-28. */
  modernList(version: string): JsonBytes {
    return (this.#modern ??= bytesOf({
      resultType: 'complete',
      cacheScope: 'private',
      tools: this.#defined(),
      _meta: { [META.serverInfo]: { name: 'slipway', version } },
      ttlMs: FRESH,
    }));
  }

  #defined(): Item[] {
    return [...this.#tools.values()].map((tool) => tool.define(this));
  }
}

const bytesOf = (value: unknown): JsonBytes => new JsonBytes(Buffer.from(JSON.stringify(value)));
