/** The tools of one route: aggregated, named, and kept as the bytes that clients get. */
import { SlipwayError } from '../schemas/errors.ts';
import type { Server } from './upstream/server.ts';
import type { ToolState } from './upstream/tools.ts';

/** What MCP allows for a tool's name. */
const MAX_NAME = 128;

/** Where a tool that a client named really is. */
export interface Target {
  readonly server: Server;
  /** The tool's own name there. */
  readonly tool: string;
}

interface Prepared {
  /** What it was made from: as long as these are the same, so is the result. */
  readonly states: readonly (ToolState | undefined)[];
  /** The result of `tools/list` as JSON text. */
  readonly json: string;
  readonly targets: ReadonlyMap<string, Target>;
}

export class Catalog {
  readonly #servers: readonly Server[];
  readonly #separator: string | undefined;
  readonly #warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
  #prepared: Prepared | undefined;
  readonly #warned = new Set<string>();

  constructor(
    servers: readonly Server[],
    separator: string | undefined,
    warn: (message: string, fields: Readonly<Record<string, unknown>>) => void,
  ) {
    this.#servers = servers;
    this.#separator = separator;
    this.#warn = warn;
  }

  /** The result of `tools/list` as JSON text. Asks, all at once, only the servers of which nothing is known. */
  async list(): Promise<string> {
    const unknown = this.#servers.filter((server) => server.toolState === undefined);
    if (unknown.length > 0) await Promise.all(unknown.map((server) => server.loadTools()));
    return this.#current().json;
  }

  /** The target of a name that is known already. The hot path: no waiting, no searching. */
  known(name: string): Target | undefined {
    return this.#current().targets.get(name);
  }

  /**
   * The target of a name that is not known yet: the servers it may belong to are asked once.
   * @throws SlipwayError `upstream-unavailable` when the server it belongs to cannot be asked
   */
  async find(name: string): Promise<Target | undefined> {
    const candidates = this.#servers.filter((server) => name.startsWith(this.#prefix(server)));
    // The first that has it wins: a bad server must not hold up the tools of another.
    const searches = candidates.map(async (server) => {
      await (server.toolState === undefined ? server.loadTools() : server.refreshTools());
      return this.known(name) ?? Promise.reject(new Error(`${server.name} has no such tool`));
    });
    const target = await Promise.any(searches).catch(() => undefined);
    if (target) return target;
    for (const { name: server, toolState } of candidates)
      if (toolState && !toolState.tools)
        throw new SlipwayError('upstream-unavailable', `${server}: ${toolState.failure}`, {
          hint: `See \`slipway describe server ${server}\`.`,
        });
    return undefined;
  }

  #prefix(server: Server): string {
    return this.#separator === undefined ? '' : server.name + this.#separator;
  }

  #current(): Prepared {
    const prepared = this.#prepared;
    if (prepared && this.#servers.every((server, at) => server.toolState === prepared.states[at])) return prepared;
    return (this.#prepared = this.#prepare());
  }

  #prepare(): Prepared {
    const states = this.#servers.map((server) => server.toolState);
    const targets = new Map<string, Target>();
    const tools: object[] = [];
    const unavailable: Record<string, string> = {};
    this.#servers.forEach((server, at) => {
      const state = states[at];
      if (state && !state.tools) unavailable[server.name] = state.failure;
      for (const tool of state?.tools ?? []) {
        const name = this.#prefix(server) + tool.name;
        const problem = name.length > MAX_NAME ? 'its name is too long' : targets.has(name) && 'its name is taken';
        if (problem) {
          this.#hidden(name, server.name, problem);
          continue;
        }
        targets.set(name, { server, tool: tool.name });
        tools.push({ ...tool, name });
      }
    });
    const meta = Object.keys(unavailable).length > 0 ? { _meta: { 'slipway/unavailable': unavailable } } : {};
    return { states, targets, json: JSON.stringify({ tools, ...meta }) };
  }

  #hidden(tool: string, server: string, problem: string): void {
    const key = `${server} ${tool}`;
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#warn(`a tool is hidden: ${problem}`, { tool, server });
  }
}
