/** One MCP server as a snapshot describes it: its upstreams, and what is known of its tools. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { RequestOptions } from '../../schemas/peer.ts';
import type { ServerEntry, Tool } from '../../schemas/snapshot.ts';
import { NotDelivered } from './link.ts';
import type { Tools, ToolState } from './tools.ts';
import type { Upstream, Welcome } from './upstream.ts';

/** How long listing one server's tools may take, so that a bad one does not hide the others (ms). */
const LIST_TIMEOUT = 10_000;
/** A server that never stops paging is cut off here. */
const MAX_PAGES = 100;

export class Server {
  readonly name: string;
  readonly entry: ServerEntry;
  readonly upstreams: readonly Upstream[];
  readonly tools: Tools;
  #instructions: string | undefined;

  constructor(name: string, entry: ServerEntry, upstreams: readonly Upstream[], tools: Tools) {
    this.name = name;
    this.entry = entry;
    this.upstreams = upstreams;
    this.tools = tools;
    this.#instructions = entry.instructions;
  }

  get instructions(): string | undefined {
    return this.#instructions;
  }

  /** What is known of its tools without waiting. */
  get toolState(): ToolState | undefined {
    if (this.upstreams.length > 0) return this.tools.state;
    this.#missing ??= { failure: this.entry.unavailable?.message ?? 'It has no running instance.', until: Infinity };
    return this.#missing;
  }

  #missing: ToolState | undefined;

  /**
   * Sends a request to the least busy upstream, and to the next one if it never arrived there.
   * @throws RpcFailure as the server answered, SlipwayError otherwise
   */
  async request(method: string, params: Record<string, unknown>, options: RequestOptions): Promise<unknown> {
    const tried = new Set<Upstream>();
    for (let attempt = 0; ; attempt++) {
      const upstream = this.#pick(tried);
      if (!upstream) throw this.#unavailable();
      try {
        return await upstream.request(method, params, options);
      } catch (error) {
        if (!(error instanceof NotDelivered) || attempt >= this.upstreams.length) throw this.#named(error);
        tried.add(upstream);
      }
    }
  }

  /** A connection was opened: what it says is newer than what the snapshot says. */
  opened({ capabilities, instructions }: Welcome): void {
    if (instructions !== undefined) this.#instructions = instructions;
    if (!this.toolState?.tools || capabilities?.tools?.listChanged) void this.refreshTools();
  }

  loadTools(): Promise<void> {
    return this.upstreams.length === 0 ? Promise.resolve() : this.tools.load(this.#fetchTools);
  }

  refreshTools(): Promise<void> {
    return this.upstreams.length === 0 ? Promise.resolve() : this.tools.refresh(this.#fetchTools);
  }

  toolsChanged(): void {
    this.tools.invalidate(this.#fetchTools);
  }

  readonly #fetchTools = async (): Promise<readonly Tool[]> => {
    const signal = AbortSignal.timeout(LIST_TIMEOUT);
    const tools: Tool[] = [];
    let cursor: unknown;
    try {
      for (let page = 0; page < MAX_PAGES; page++) {
        const params = cursor === undefined ? {} : { cursor };
        const result = (await this.request('tools/list', params, { signal })) as Record<string, unknown> | undefined;
        if (Array.isArray(result?.['tools'])) tools.push(...(result['tools'] as unknown[]).filter(isTool));
        cursor = result?.['nextCursor'];
        if (typeof cursor !== 'string') break;
      }
    } catch (error) {
      throw signal.aborted ? new SlipwayError('upstream-timeout', 'Its tools were not listed in time.') : error;
    }
    return tools;
  };

  #pick(tried: ReadonlySet<Upstream>): Upstream | undefined {
    const { upstreams } = this;
    if (upstreams.length === 1) return upstreams[0];
    const fresh = upstreams.filter((upstream) => !tried.has(upstream));
    let best: Upstream | undefined;
    for (const upstream of fresh.length > 0 ? fresh : upstreams)
      if (!best || upstream.busy < best.busy) best = upstream;
    return best;
  }

  #unavailable(): SlipwayError {
    const reason = this.entry.unavailable?.message ?? 'It has no running instance.';
    return new SlipwayError('upstream-unavailable', `${this.name}: ${reason}`, {
      hint: `See \`slipway describe server ${this.name}\`.`,
    });
  }

  #named(error: unknown): unknown {
    if (!(error instanceof SlipwayError) || error.code !== 'upstream-unavailable') return error;
    return new SlipwayError('upstream-unavailable', `${this.name}: ${error.message}`, {
      hint: `See \`slipway describe server ${this.name}\`.`,
      cause: error,
    });
  }
}

function isTool(value: unknown): value is Tool {
  const name = (value as { name?: unknown } | null)?.name;
  return typeof name === 'string' && name !== '';
}
