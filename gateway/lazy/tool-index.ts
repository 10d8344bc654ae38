/** Which tools are meant by words: BM25 over names, descriptions and parameters, by minisearch. */
import type MiniSearch from 'minisearch';
import type { Target } from '../catalog.ts';
import type { Item } from '../upstream/listing.ts';

interface Document {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly parameters: string;
}

/** Made once for each list, which is replaced whole when it changes. */
const known = new WeakMap<ReadonlyMap<string, Target>, Promise<ToolIndex>>();

export class ToolIndex {
  readonly #names: readonly string[];
  readonly #search: MiniSearch<Document>;

  private constructor(names: readonly string[], search: MiniSearch<Document>) {
    this.#names = names;
    this.#search = search;
  }

  /** @param targets tools by the names that clients call them by */
  static of(targets: ReadonlyMap<string, Target>): Promise<ToolIndex> {
    let index = known.get(targets);
    if (!index) known.set(targets, (index = ToolIndex.#make(targets)));
    return index;
  }

  static async #make(targets: ReadonlyMap<string, Target>): Promise<ToolIndex> {
    const { default: Search } = await import('minisearch');
    const search = new Search<Document>({
      fields: ['name', 'description', 'parameters'],
      tokenize: wordsIn,
      searchOptions: {
        boost: { name: 3 },
        prefix: (term) => term.length > 2,
        fuzzy: (term) => (term.length > 4 ? 0.2 : 0),
      },
    });
    search.addAll([...targets].map(([id, { shown }]) => documentOf(id, shown)));
    return new ToolIndex([...targets.keys()], search);
  }

  /** The best first; those that are as good by name. Without words, the first of the list. */
  find(query: string, limit: number): string[] {
    const asked = query.slice(0, MAX_QUERY);
    if (wordsIn(asked).length === 0) return this.#names.slice(0, limit);
    const found = this.#search.search(asked) as { id: string; score: number }[];
    return found
      .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
      .slice(0, limit)
      .map(({ id }) => id);
  }
}

/** Work for nothing: a query of megabytes is cut (characters). */
const MAX_QUERY = 1000;

function documentOf(id: string, item: Item): Document {
  const schema = item['inputSchema'] as
    | { properties?: Record<string, { description?: unknown } | undefined> }
    | undefined;
  const parameters = Object.entries(schema?.properties ?? {})
    .map(([name, property]) => `${name} ${typeof property?.description === 'string' ? property.description : ''}`)
    .join(' ');
  const title = typeof item['title'] === 'string' ? item['title'] : '';
  const description = typeof item['description'] === 'string' ? item['description'] : '';
  return { id, name: `${id} ${title}`, description, parameters };
}

/** `github__createIssue` is three words. */
export const wordsIn = (text: string): string[] =>
  text
    .replaceAll(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
