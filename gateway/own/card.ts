/** A tool in a few words. */
import type { Item } from '../upstream/listing.ts';
import { brief } from './own-tool.ts';

export interface Card {
  readonly name: string;
  readonly description: string;
  /** Names, separated by commas; `*` marks those that it must have. */
  readonly params: string;
}

/** What a model needs to choose a tool, and most often to call it. */
export function cardOf(name: string, item: Item): Card {
  const schema = item['inputSchema'] as { properties?: object; required?: unknown } | undefined;
  const required = new Set(Array.isArray(schema?.required) ? schema.required : []);
  const params = Object.keys(schema?.properties ?? {}).map((key) => (required.has(key) ? `${key}*` : key));
  return { name, description: brief(item['description'], 100), params: params.join(', ') };
}
