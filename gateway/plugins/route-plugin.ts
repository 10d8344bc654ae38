/** The Plugin of a route: whose code runs for which hook. */
import type { Hook, PluginEntry, ToolDefinition } from '../../schemas/plugins.ts';
import type { Route, Snapshot } from '../../schemas/snapshot.ts';

/** Code that runs for a hook. */
export interface Step {
  /** The Plugin that it is from: the route's own, or one that it extends. */
  readonly name: string;
  readonly entry: PluginEntry;
}

/** A tool, and the code that answers it. */
export interface RouteTool {
  readonly item: ToolDefinition;
  readonly step: Step;
}

export class RoutePlugin {
  readonly name: string;
  readonly tools: readonly RouteTool[];
  readonly #steps: ReadonlyMap<Hook, readonly Step[]>;

  private constructor(name: string, steps: ReadonlyMap<Hook, readonly Step[]>, tools: readonly RouteTool[]) {
    this.name = name;
    this.tools = tools;
    this.#steps = steps;
  }

  /** @returns `undefined` for a route without one: nothing else is looked at there */
  static of({ plugin: name }: Pick<Route, 'plugin'>, known: Snapshot['plugins'] = {}): RoutePlugin | undefined {
    const own = name === undefined ? undefined : known[name];
    if (name === undefined || !own) return undefined;
    const steps = Object.entries(own.hooks).map(([hook, owners]): [Hook, Step[]] => [
      hook as Hook,
      owners.flatMap((owner) => (known[owner] ? [{ name: owner, entry: known[owner] }] : [])),
    ]);
    const tools = (own.tools ?? []).flatMap(({ owner, ...item }): RouteTool[] => {
      const entry = known[owner];
      return entry ? [{ item, step: { name: owner, entry } }] : [];
    });
    return new RoutePlugin(name, new Map(steps), tools);
  }

  has(hook: Hook): boolean {
    return this.#steps.has(hook);
  }

  steps(hook: Hook): readonly Step[] {
    return this.#steps.get(hook) ?? [];
  }

  /** Equal where the same code runs. */
  get fingerprint(): string {
    return JSON.stringify([[...this.#steps], this.tools]);
  }
}
