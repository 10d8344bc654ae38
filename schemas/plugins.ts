/** Plugins: which code of the config repo takes part in what goes through a route, and how they inherit from one another. Pure. */
import { z } from 'zod';
import { codeRights } from './code-questions.ts';

/** What code can take part in (after mcpctl). */
export const HOOKS = [
  'onSessionCreate',
  'onSessionDestroy',
  'onInitialize',
  'onToolsList',
  'onToolCallBefore',
  'onToolCallAfter',
  'onResourcesList',
  'onResourceRead',
  'onPromptsList',
  'onPromptGet',
] as const;
export type Hook = (typeof HOOKS)[number];

/** Of these each one's runs, parents first; of all others just one. */
const CHAINED: ReadonlySet<Hook> = new Set(['onSessionCreate', 'onSessionDestroy']);

/** Tools of the gateway's own, which no Plugin's may be called like. A test compares it with those that there are. */
export const OWN_TOOL_NAMES: readonly string[] = [
  'list_servers',
  'list_commands',
  'describe_commands',
  'invoke_command',
  'find_tools',
  'call_tool_read',
  'call_tool_write',
  'call_tool',
  'run_script',
  'get_section',
  'grep_result',
  'begin_session',
  'read_prompts',
  'propose_prompt',
  'authorize',
];

/** In place of a server's name, where rules of permissions are about tools of Plugins. */
export const OWN_SERVER = 'slipway';

const hint = z.boolean().optional();

/** A tool that a Plugin brings, as `tools/list` gives it. */
export const toolDefinition = z.strictObject({
  name: z.string(),
  title: z.string().optional(),
  description: z.string(),
  inputSchema: z.record(z.string(), z.unknown()),
  annotations: z
    .strictObject({ readOnlyHint: hint, destructiveHint: hint, idempotentHint: hint, openWorldHint: hint })
    .optional()
    .describe('What it is like, as MCP has it.'),
});
export type ToolDefinition = z.output<typeof toolDefinition>;

/** A Plugin, as the gateway is told it. Durations in ms. */
export const pluginSchema = z.strictObject({
  /** What its file says, as JavaScript: an ES module. Absent for one that only puts others together. */
  code: z.string().optional(),
  file: z.string().optional(),
  config: z.record(z.string(), z.unknown()),
  timeoutMs: z.number(),
  memoryBytes: z.number(),
  ...codeRights,
  /** Whose code runs for each hook, in this order: its own name, or those that it extends. */
  hooks: z.partialRecord(z.enum(HOOKS), z.array(z.string())),
  /** Those that it brings, with whose code answers each. */
  tools: z.array(toolDefinition.extend({ owner: z.string() })).optional(),
});
export type PluginEntry = z.output<typeof pluginSchema>;

/** What a Plugin says of itself. */
export interface Lineage {
  readonly extends: readonly string[];
  readonly hooks: readonly Hook[];
}

export interface Resolved {
  readonly hooks: PluginEntry['hooks'];
  /** Hooks that several of its parents have, and it has not: whose they are. The first counts. */
  readonly conflicts: Readonly<Partial<Record<Hook, readonly string[]>>>;
}

/**
 * Whose code runs where, for each Plugin: a child's own before its parents'; what parents have from the same ancestor is one.
 * @param all by name. A parent that is not there, or that leads back to the child, adds nothing: both are told elsewhere.
 */
export function resolvePlugins(all: ReadonlyMap<string, Lineage>): ReadonlyMap<string, Resolved> {
  const known = new Map<string, Resolved>();
  const resolve = (name: string, under: readonly string[]): Resolved | undefined => {
    const one = all.get(name);
    if (!one || under.includes(name)) return undefined;
    const before = known.get(name);
    if (before) return before;
    const parents = one.extends.flatMap((parent) => resolve(parent, [...under, name]) ?? []);
    const resolved = merge(name, one, parents);
    known.set(name, resolved);
    return resolved;
  };
  for (const name of all.keys()) resolve(name, []);
  return known;
}

/**
 * Whose each tool of a Plugin is: its own before its parents'.
 * @param all names of tools by the Plugin's name @returns owners by the tool's name: several where parents have it, and it has not
 */
export function toolOwners(
  all: ReadonlyMap<string, Pick<Lineage, 'extends'> & { readonly tools: readonly { readonly name: string }[] }>,
  name: string,
  known = new Map<string, ReadonlyMap<string, readonly string[]>>(),
): ReadonlyMap<string, readonly string[]> {
  const before = known.get(name);
  if (before) return before;
  const owners = new Map<string, readonly string[]>();
  // One that leads back to itself adds nothing.
  known.set(name, owners);
  const one = all.get(name);
  for (const tool of one?.tools ?? []) owners.set(tool.name, [name]);
  const own = new Set(owners.keys());
  for (const parent of one?.extends ?? [])
    for (const [tool, theirs] of toolOwners(all, parent, known))
      if (!own.has(tool)) owners.set(tool, [...new Set([...(owners.get(tool) ?? []), ...theirs])]);
  return owners;
}

function merge(name: string, { hooks: own }: Lineage, parents: readonly Resolved[]): Resolved {
  const hooks: Partial<Record<Hook, string[]>> = {};
  const conflicts: Partial<Record<Hook, string[]>> = {};
  for (const hook of HOOKS) {
    const inherited = [...new Set(parents.flatMap((parent) => parent.hooks[hook] ?? []))];
    const mine = own.includes(hook) ? [name] : [];
    const chained = CHAINED.has(hook);
    const runs = chained ? [...inherited, ...mine] : [...mine, ...inherited].slice(0, 1);
    if (runs.length > 0) hooks[hook] = runs;
    if (!chained && mine.length === 0 && inherited.length > 1) conflicts[hook] = inherited;
  }
  return { hooks, conflicts };
}
