/** Hooks on what goes to a server, and on what it answers. */
import { z } from 'zod';
import type { Hook } from '../../schemas/plugins.ts';
import type { Target } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import { resultProblem } from '../methods/arguments.ts';
import type { Json } from '../rpc/json.ts';
import type { Item } from '../upstream/listing.ts';
import type { Server } from '../upstream/server.ts';
import type { RoutePlugin } from './route-plugin.ts';
import { aboutOf, whomOf } from './whom.ts';

type Fields = Record<string, unknown>;

const record = z.record(z.string(), z.unknown());
const blocks = z.array(z.looseObject({ type: z.string() }));
const toolResult = z.looseObject({
  content: blocks,
  structuredContent: record.optional(),
  isError: z.boolean().optional(),
});

/** What each hook on a result is given, and gives back. What has another shape (a question, a task) is none. */
const RESULTS = {
  onToolCallAfter: toolResult,
  onResourceRead: z.looseObject({ contents: z.array(z.looseObject({ uri: z.string() })) }),
  onPromptGet: z.looseObject({
    messages: z.array(
      z.looseObject({ role: z.enum(['user', 'assistant']), content: z.looseObject({ type: z.string() }) }),
    ),
  }),
} as const satisfies Partial<Record<Hook, z.ZodType>>;

type ResultHook = keyof typeof RESULTS;

/** What a tool began as a task, it answers later. */
const OF_METHOD: Readonly<Record<string, ResultHook>> = {
  'tools/call': 'onToolCallAfter',
  'tasks/result': 'onToolCallAfter',
  'tasks/get': 'onToolCallAfter',
  'resources/read': 'onResourceRead',
  'prompts/get': 'onPromptGet',
};

const beforeAnswer = z.union([
  z.strictObject({ arguments: record }),
  z.strictObject({ result: toolResult }),
  z.strictObject({ refuse: z.string().min(1).max(10_000) }),
]);

/** What becomes of a call: other arguments, an answer in the server's place, or none at all. */
export type Before = z.output<typeof beforeAnswer>;

/** A hook that fails may have been a guard, so then the call is refused. @returns `undefined` where it goes on as it is */
export async function beforeCall(
  plugin: RoutePlugin,
  { caller }: Call,
  { server, name, item }: Target,
  args: unknown,
): Promise<Before | undefined> {
  const ran = await caller.state.plugins.run(whomOf(caller), plugin, {
    hook: 'onToolCallBefore',
    input: { server: server.name, tool: name, arguments: args ?? {} },
    read: async (answer) => {
      const before = beforeAnswer.parse(answer);
      if ('result' in before) await checkSchema(item, before.result);
      return before;
    },
    about: aboutOf(server, name),
  });
  if (!('failed' in ran)) return ran.value;
  return { refuse: `The call was not made: the Plugin ${plugin.name} failed (${ran.failed.why}).` };
}

/** A result of a server, or of the gateway itself, on its way to a client. */
export interface Result {
  readonly server: Server | undefined;
  /** As the server got them. */
  readonly params: Readonly<Fields>;
}

type Shape = (answer: unknown) => Promise<Json>;

/**
 * What makes of a result what the client gets, through the plugin first.
 * @param next what else becomes of it @returns `next` where the plugin has no hook for the request
 */
export function changing(plugin: RoutePlugin, call: Call, result: Result, next: Shape | undefined): Shape | undefined {
  const { method } = call.request;
  const hook = OF_METHOD[method];
  if (!hook || !plugin.has(hook)) return next;
  return async (answer) => {
    // MCP 2026-07-28 has the result of a task within what is told of the task.
    const inner = method === 'tasks/get' ? (answer as Fields | null)?.['result'] : answer;
    const changed = await changedBy(plugin, call, hook, result, inner);
    const whole =
      inner === answer ? changed : { ...(answer as Fields), ...(changed === inner ? {} : { result: changed }) };
    return next ? next(whole) : call.encode(whole, result.server);
  };
}

async function changedBy(
  plugin: RoutePlugin,
  { caller }: Call,
  hook: ResultHook,
  { server, params }: Result,
  result: unknown,
): Promise<unknown> {
  const schema = RESULTS[hook];
  if (!schema.safeParse(result).success) return result;
  const { name, uri, arguments: args } = params;
  const tool = hook === 'onToolCallAfter' ? toolOf(server, name) : undefined;
  const named = hook === 'onToolCallAfter' ? { tool: name } : hook === 'onPromptGet' ? { prompt: name } : { uri };
  const ran = await caller.state.plugins.run(whomOf(caller), plugin, {
    hook,
    input: { server: server?.name, ...named, ...(hook === 'onResourceRead' ? {} : { arguments: args ?? {} }), result },
    read: async (answer) => {
      const after = z.strictObject({ result: schema }).parse(answer).result as Fields;
      if (tool) await checkSchema(tool, after);
      return after;
    },
    about: aboutOf(server, typeof uri === 'string' ? uri : typeof name === 'string' ? name : undefined),
  });
  return 'failed' in ran ? result : (ran.value ?? result);
}

const toolOf = (server: Server | undefined, name: unknown): Item | undefined =>
  server?.state('tools')?.items?.find((item) => item['name'] === name);

/** Clients refuse a result that is not what the tool's `outputSchema` says. @throws Error what is wrong with it */
async function checkSchema(tool: Item, result: Fields): Promise<void> {
  if (result['isError'] === true || tool['outputSchema'] === undefined) return;
  const problem = await resultProblem(tool, result['structuredContent']);
  if (problem !== undefined) throw new Error(`structuredContent is not what the outputSchema says: ${problem}`);
}
