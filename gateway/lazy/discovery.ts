/** What a route shows instead of all its tools: only the gateway's own, prepared once as the bytes that clients get. */
import { META } from '../../schemas/modern.ts';
import type { Route } from '../../schemas/snapshot.ts';
import type { OwnTool } from '../own/own-tool.ts';
import type { OwnTools } from '../own/own-tools.ts';
import { JsonBytes } from '../rpc/json.ts';
import { LAZY } from './lazy.ts';
import { SEARCH } from './search.ts';

type Mode = NonNullable<Route['discovery']>['mode'];

const MODES: Readonly<Record<Mode, readonly OwnTool[]>> = { lazy: LAZY, search: SEARCH };

/** The tools that lead to those of the route's servers. */
export const discoveryTools = ({ discovery }: Route): readonly OwnTool[] => (discovery ? MODES[discovery.mode] : []);

/** These tools change with the config alone, which tells its listeners: how long they stay the same (ms). */
const FRESH = 60_000;

export class Discovery {
  readonly #own: Pick<OwnTools, 'items'>;
  readonly #fresh: number;
  #json: JsonBytes | undefined;
  #modern: JsonBytes | undefined;

  /** @param own all that is listed @param fresh how long it stays the same (ms) */
  constructor(own: Pick<OwnTools, 'items'>, fresh = FRESH) {
    this.#own = own;
    this.#fresh = fresh;
  }

  /** The result of `tools/list`. */
  list(): JsonBytes {
    return (this.#json ??= bytesOf({ tools: this.#own.items }));
  }

  /** The same for MCP 2026-07-28. */
  modernList(version: string): JsonBytes {
    return (this.#modern ??= bytesOf({
      resultType: 'complete',
      cacheScope: 'private',
      tools: this.#own.items,
      _meta: { [META.serverInfo]: { name: 'slipway', version } },
      ttlMs: this.#fresh,
    }));
  }
}

const bytesOf = (value: unknown): JsonBytes => new JsonBytes(Buffer.from(JSON.stringify(value)));
