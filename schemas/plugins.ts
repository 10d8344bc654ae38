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
