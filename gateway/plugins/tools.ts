/** Tools that a Plugin brings to its route: described by the config, and answered by its code. No server is asked. */
import type { Decision } from '../../schemas/access.ts';
import { readAnswer, toolAnswer } from '../../schemas/plugin-answers.ts';
import { OWN_SERVER } from '../../schemas/plugins.ts';
import type { Call } from '../era/era.ts';
import { withinSize } from '../limits/allowance.ts';
import { refused, spendOf } from '../limits/spend.ts';
import { problemWith } from '../methods/arguments.ts';
import { blockedAs } from '../methods/blocked.ts';
import { whileWanted } from '../methods/while-wanted.ts';
import { mistaken, type Args, type OwnTool } from '../own/own-tool.ts';
import type { Json } from '../rpc/json.ts';
import type { RoutePlugin, RouteTool } from './route-plugin.ts';
import { changedFor, whomOf } from './whom.ts';

/** What rules of permissions and budgets know it by. */
const OWN = { name: OWN_SERVER };

/** The tools of a Plugin, as those see them to whom the same is open. */
export interface Plugged {
  readonly plugin: RoutePlugin;
  readonly decide: (tool: RouteTool) => Decision;
}

/** One that is not open is not listed, and says why when it is called. */
export const pluginTools = (plugged: Plugged | undefined): readonly OwnTool[] =>
  plugged ? plugged.plugin.tools.map((tool) => toolOf(plugged, tool)) : [];

function toolOf({ plugin, decide }: Plugged, tool: RouteTool): OwnTool {
  const decision = decide(tool);
  const { name } = tool.item;
  return {
    name,
    ...(decision.allowed ? {} : { isUnlisted: true }),
    define: () => tool.item,
    run: async (call, args) => {
      call.trace.server = OWN_SERVER;
      return decision.allowed ? answer(call, plugin, tool, args) : blockedAs(call, OWN_SERVER, name, decision);
    },
  };
}

async function answer(call: Call, plugin: RoutePlugin, tool: RouteTool, args: Args): Promise<Json> {
  const { caller, trace } = call;
  const { item, step } = tool;
  const problem = await problemWith(item, args);
  if (problem !== undefined) return mistaken(call, `Invalid arguments for ${item.name}: ${problem.words}.`);
  const spend = spendOf(call, OWN, item.name);
  if (spend?.refusal) return refused(call, undefined, spend.refusal);
  spend?.take();
  const ran = await whileWanted(call, (signal) =>
    caller.state.plugins.run(whomOf(caller), plugin, {
      hook: 'tools',
      step,
      input: { tool: item.name, arguments: args },
      read: (said) => readAnswer(toolAnswer, said),
      about: { tool: item.name },
      onChanged: changedFor(call),
      signal,
    }),
  );
  const said = 'failed' in ran ? failed(item.name, ran.failed.why) : (ran.value ?? '');
  const whole = typeof said === 'string' ? { content: [{ type: 'text', text: said }] } : said;
  if ('failed' in ran) trace.toolFailed(`plugin_${ran.failed.why}`);
  else if ('isError' in whole && whole.isError === true) trace.toolFailed();
  const json = withinSize(call, undefined, caller.course.result, call.encode(whole));
  return spend ? spend.answered(json) : json;
}

/** What it threw stands in the log, and is for whoever wrote it. */
const failed = (name: string, why: string) => ({
  content: [{ type: 'text', text: `${name} failed (${why}).` }],
  isError: true,
});
