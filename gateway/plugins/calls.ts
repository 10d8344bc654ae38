/** Hooks on what goes to a server, and on what it answers. */
import { beforeAnswer, HOOK_RESULTS, readAnswer, resultAnswer } from '../../schemas/plugin-answers.ts';
import type { Before, ResultHook } from '../../schemas/plugin-answers.ts';
import type { Target } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import { resultProblem } from '../methods/arguments.ts';
import type { Item } from '../upstream/listing.ts';
import type { Server } from '../upstream/server.ts';
import type { RoutePlugin } from './route-plugin.ts';
import { aboutOf, changedFor, whomOf } from './whom.ts';

type Fields = Record<string, unknown>;

/** What a tool began as a task, it answers later. */
const OF_METHOD: Readonly<Record<string, ResultHook>> = {
  'tools/call': 'onToolCallAfter',
  'tasks/result': 'onToolCallAfter',
  'tasks/get': 'onToolCallAfter',
  'resources/read': 'onResourceRead',
  'prompts/get': 'onPromptGet',
};

/** A hook that fails may have been a guard, so then the call is refused. @returns `undefined` where it goes on as it is */
export async function beforeCall(
  plugin: RoutePlugin,
  call: Call,
  { server, name, item }: Target,
  args: unknown,
): Promise<Before | undefined> {
  const { caller } = call;
  const ran = await caller.state.plugins.run(whomOf(caller), plugin, {
    hook: 'onToolCallBefore',
    input: { server: server.name, tool: name, arguments: args ?? {} },
    read: async (answer) => {
      const before = readAnswer(beforeAnswer, answer);
      if ('result' in before) await checkSchema(item, before.result);
      return before;
    },
    about: aboutOf(server, name),
    onChanged: changedFor(call),
  });
  if (!('failed' in ran)) return ran.value;
  return { refuse: `The call was not made: the Plugin ${plugin.name} failed (${ran.failed.why}).` };
}

/** Makes another result of one; never rejects. */
export type Change = (result: unknown) => Promise<unknown>;

/**
 * @param server whose result it is; absent: the gateway's own @param params as the server got them
 * @returns `undefined` where the plugin has no hook for the request
 */
export function changing(
  plugin: RoutePlugin,
  call: Call,
  server: Server | undefined,
  params: Readonly<Fields>,
): Change | undefined {
  const { method } = call.request;
  const hook = OF_METHOD[method];
  if (!hook || !plugin.has(hook)) return undefined;
  const change: Change = (result) => changedBy(plugin, call, hook, { server, params }, result);
  if (method !== 'tasks/get') return change;
  // MCP 2026-07-28 has the result of a task within what is told of the task.
  return async (told) => {
    const inner = (told as Fields | null)?.['result'];
    const changed = await change(inner);
    return changed === inner ? told : { ...(told as Fields), result: changed };
  };
}

async function changedBy(
  plugin: RoutePlugin,
  call: Call,
  hook: ResultHook,
  { server, params }: { server: Server | undefined; params: Readonly<Fields> },
  result: unknown,
): Promise<unknown> {
  if (!HOOK_RESULTS[hook].safeParse(result).success) return result;
  const { name, uri, arguments: args } = params;
  const tool = hook === 'onToolCallAfter' ? toolOf(server, name) : undefined;
  const named = hook === 'onToolCallAfter' ? { tool: name } : hook === 'onPromptGet' ? { prompt: name } : { uri };
  const { caller } = call;
  const ran = await caller.state.plugins.run(whomOf(caller), plugin, {
    hook,
    input: { server: server?.name, ...named, ...(hook === 'onResourceRead' ? {} : { arguments: args ?? {} }), result },
    read: async (answer) => {
      const after = readAnswer(resultAnswer(hook), answer).result;
      if (tool) await checkSchema(tool, after);
      return after;
    },
    about: aboutOf(server, typeof uri === 'string' ? uri : typeof name === 'string' ? name : undefined),
    onChanged: changedFor(call),
  });
  return 'failed' in ran ? result : (ran.value ?? result);
}

const toolOf = (server: Server | undefined, name: unknown): Item | undefined =>
  server?.state('tools')?.items?.find((item) => item['name'] === name);

/** Clients refuse a result that is not what the tool's `outputSchema` says. @throws Error what is wrong with it */
async function checkSchema(tool: Item, result: Fields): Promise<void> {
  if (result['isError'] === true || tool['outputSchema'] === undefined) return;
  const problem = await resultProblem(tool, result['structuredContent']);
  if (problem !== undefined) throw new Error(`structuredContent is not what the outputSchema says: ${problem.words}`);
}
