/** `discovery: search`: tools are found by words and called by name; what only reads can be let through without a question. */
import { suggest } from '../../schemas/suggest.ts';
import type { Call } from '../era/era.ts';
import { callTool } from '../methods/tools-call.ts';
import type { Json } from '../rpc/json.ts';
import type { Item } from '../upstream/listing.ts';
import { ToolIndex } from './tool-index.ts';
import { cardOf } from '../own/card.ts';
import { answered, brief, innerOf, mistaken, textAt, type OwnTool } from '../own/own-tool.ts';

const DEFAULT_FOUND = 8;
const MOST_FOUND = 50;

const findTools: OwnTool = {
  name: 'find_tools',
  define: ({ view, route }) => ({
    name: 'find_tools',
    description: `Finds tools by what they do; * marks required parameters, and "with" says what calls the tool.${about(view.servers, route.discovery?.summaries)}`,
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string', description: 'Words. Empty: the first of all.' },
        limit: { type: 'integer', minimum: 1, maximum: MOST_FOUND, default: DEFAULT_FOUND },
        schema: { type: 'boolean', description: 'With whole input schemas.' },
      },
      required: ['query'],
    },
    annotations: { readOnlyHint: true },
  }),
  async run(call, args, { view }) {
    const { tools } = view.catalogs;
    await tools.load();
    const limit = Math.min(
      MOST_FOUND,
      Math.max(1, Math.floor(Number(args['limit'] ?? DEFAULT_FOUND)) || DEFAULT_FOUND),
    );
    const index = await ToolIndex.of(tools.targets);
    const names = index.find(textAt(args, 'query', 'q', 'text') ?? '', limit);
    const full = args['schema'] === true;
    return answered(call, {
      tools: names.map((name) => found(name, tools.targets.get(name)?.shown ?? {}, full)),
      of: tools.targets.size,
    });
  },
};

function about(servers: readonly { readonly name: string }[], summaries: number | undefined): string {
  if (summaries === undefined || servers.length === 0) return '';
  return ` Servers: ${servers
    .slice(0, summaries)
    .map(({ name }) => name)
    .join(', ')}.`;
}

/** What finds it, and what calls it. */
function found(name: string, item: Item, full: boolean): Record<string, unknown> {
  const { params, ...card } = cardOf(name, item);
  return { ...card, ...(full ? { inputSchema: item['inputSchema'] } : { params }), with: variantFor(item) };
}

const variantFor = (item: Item): string => VARIANTS.find(({ takes }) => takes(item))?.name ?? 'call_tool';

/** MCP's defaults: what says nothing may write, and may destroy. */
const hintsOf = (item: Item): { reads: boolean; destroys: boolean } => {
  const hints = (item['annotations'] ?? {}) as { readOnlyHint?: unknown; destructiveHint?: unknown };
  const reads = hints.readOnlyHint === true;
  return { reads, destroys: !reads && hints.destructiveHint !== false };
};

interface Variant {
  readonly name: string;
  readonly description: string;
  readonly annotations: object;
  takes(item: Item): boolean;
}

/**
 * One for each answer that a person may have given beforehand: clients let tools through by name and annotations, so a call that
 * claims to read must not be able to do more.
 */
const VARIANTS: readonly Variant[] = [
  {
    name: 'call_tool_read',
    description: 'Calls a tool that only reads.',
    annotations: { readOnlyHint: true },
    takes: (item) => hintsOf(item).reads,
  },
  {
    name: 'call_tool_write',
    description: 'Calls a tool that changes things, but destroys none.',
    annotations: { readOnlyHint: false, destructiveHint: false },
    takes: (item) => !hintsOf(item).destroys,
  },
  {
    name: 'call_tool',
    description: 'Calls any tool.',
    annotations: { readOnlyHint: false, destructiveHint: true },
    takes: () => true,
  },
];

const OWN = ['name', 'tool', 'tool_name'];
const INNER = ['arguments', 'parameters', 'args', 'params', 'input'];

const callers = VARIANTS.map(({ name: variant, description, annotations, takes }): OwnTool => ({
  name: variant,
  define: () => ({
    name: variant,
    description,
    inputSchema: {
      type: 'object',
      properties: { name: { type: 'string' }, arguments: { type: 'object' } },
      required: ['name'],
    },
    annotations,
  }),
  async run(call: Call, args, { view }): Promise<Json> {
    const name = textAt(args, ...OWN);
    if (name === undefined) return mistaken(call, 'Name the tool in name; find_tools finds it.');
    const inner = innerOf(args, INNER, OWN);
    if (typeof inner === 'string') return mistaken(call, inner);
    const { tools } = view.catalogs;
    const target = tools.known(name) ?? (await tools.find(name));
    if (target && !takes(target.item))
      return mistaken(call, `${brief(name)} does more than ${variant} may: use ${variantFor(target.item)}.`);
    return callTool(call, name, inner, () => {
      const nearest = suggest(name, tools.targets.keys());
      const hint = nearest === undefined ? 'find_tools finds those that are there.' : `Did you mean ${nearest}?`;
      return mistaken(call, `There is no tool ${brief(name)}. ${hint}`);
    });
  },
}));

export const SEARCH: readonly OwnTool[] = [findTools, ...callers];
