/** The gateway's own tools of one route, as its callers see them. */
import type { Item } from '../upstream/listing.ts';
import { OWN_TOOLS } from './index.ts';
import type { Front, OwnTool } from './own-tool.ts';

export class OwnTools {
  readonly front: Front;
  readonly #tools: ReadonlyMap<string, OwnTool>;

  private constructor(front: Front, tools: readonly OwnTool[]) {
    this.front = front;
    this.#tools = new Map(tools.map((tool) => [tool.name, tool]));
  }

  /** @returns `undefined` for a route without any: nothing is looked up in calls there */
  static of(front: Front): OwnTools | undefined {
    const tools = OWN_TOOLS.flatMap((toolsOf) => toolsOf(front.route, front));
    return tools.length === 0 ? undefined : new OwnTools(front, tools);
  }

  get(name: string): OwnTool | undefined {
    return this.#tools.get(name);
  }

  /** As `tools/list` gives them. */
  get items(): Item[] {
    return [...this.#tools.values()].filter((tool) => !tool.isUnlisted).map((tool) => tool.define(this.front));
  }

  /** Equal where the same is listed. */
  get fingerprint(): string {
    return JSON.stringify(this.items);
  }
}
