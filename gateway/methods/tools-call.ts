/** `tools/call`: to the server behind the name. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { traceServer } from '../audit/requests.ts';
import type { Target } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import type { Json } from '../rpc/json.ts';
import { blocked, closedTo, traceHidden } from './blocked.ts';
import { readOn } from '../results/reading.ts';
import { argsOf } from '../own/own-tool.ts';
import { problemWith } from './arguments.ts';
import { beforeCall } from '../plugins/calls.ts';
import type { RoutePlugin } from '../plugins/route-plugin.ts';
import { relay } from './relay.ts';

/** @throws RpcFailure for an unknown tool, or as the server answered; SlipwayError otherwise */
export function toolsCall(call: Call): Promise<Json> {
  const params = call.request.params ?? {};
  const name = params['name'];
  if (typeof name !== 'string') throw new RpcFailure({ code: RPC.invalidParams, message: 'The tool name is missing' });
  const { gate } = call.caller.route;
  return gate?.isSkippedBy(call, name) ? gate.after(call, name, run(call, name, params)) : run(call, name, params);
}

function run(call: Call, name: string, params: Record<string, unknown>): Promise<Json> {
  const { catalogs, own, discovery } = call.caller.route;
  const tool = own?.get(name);
  if (own && tool) {
    if (discovery) call.caller.state.monitor.asked(own.front.view.servers);
    return tool.run(call, argsOf(call), own.front);
  }
  const target = catalogs.tools.known(name);
  return target ? send(call, params, target) : catalogs.tools.find(name).then((found) => send(call, params, found));
}

/**
 * Calls a tool that a client reached through one of the gateway's own: the same way, with the same checks.
 * @param name as clients of the route call it @param unknown what is answered where there is none
 */
export async function callTool(
  call: Call,
  name: string,
  args: Readonly<Record<string, unknown>>,
  unknown: () => Json | Promise<Json>,
): Promise<Json> {
  const { tools } = call.caller.route.catalogs;
  call.trace.arguments = args;
  const target = tools.known(name) ?? (await tools.find(name));
  const params = { ...call.request.params, name, arguments: args };
  if (target) return send(call, params, target);
  return isClosed(call, name) ? refused(call, name) : unknown();
}

const isClosed = ({ caller: { route } }: Call, name: string): boolean =>
  (route.catalogs.tools.refused(name) ?? closedTo(route, name)) !== undefined;

function send(call: Call, params: Record<string, unknown>, target: Target | undefined): Promise<Json> {
  if (!target) return refused(call, String(params['name']));
  traceServer(call.caller.trace, target.server, target.name);
  if (call.caller.route.pipelines) {
    const section = readOn(call, params['arguments'], target, 'toolResult');
    if (section) return section;
  }
  const { plugin } = call.caller.route;
  if (plugin?.has('onToolCallBefore')) return judged(plugin, call, params, target);
  return allowed(call, params, target);
}

function allowed(call: Call, params: Record<string, unknown>, target: Target): Promise<Json> {
  return target.server.entry.validateArguments ? checked(call, params, target) : pass(call, params, target);
}

/** As code of the config repo has it: with other arguments, answered in the server's place, or refused. */
async function judged(plugin: RoutePlugin, call: Call, params: Record<string, unknown>, target: Target): Promise<Json> {
  const { server, name } = target;
  const before = await beforeCall(plugin, call, target, params['arguments']);
  if (!before) return allowed(call, params, target);
  if ('arguments' in before) return allowed(call, { ...params, arguments: before.arguments }, target);
  // Counted, limited and shaped as if the server had said it.
  if ('result' in before) return relay(call, server, { ...params, name }, { send: async () => before.result });
  call.trace.denied('plugin_refused', 'tool_call_trace');
  call.trace.said = `The Plugin ${plugin.name} refused it.`;
  return call.encode({ content: [{ type: 'text', text: before.refuse }], isError: true }, server);
}

/** A tool that is there but not open, or none at all. @throws RpcFailure for an unknown tool */
async function refused(call: Call, name: string): Promise<Json> {
  const { route } = call.caller;
  const known = route.catalogs.tools.refused(name);
  if (known) return blocked(call, known.target.server, known.target.name, known.decision);
  const closed = closedTo(route, name);
  if (closed) return blocked(call, ...closed);
  traceHidden(call, name);
  throw new RpcFailure({ code: RPC.invalidParams, message: `Unknown tool: ${name}` });
}

/** What is wrong with arguments is told as a failure of the tool (SEP-1303), so that a model reads it and does better. */
async function checked(call: Call, params: Record<string, unknown>, target: Target): Promise<Json> {
  const problem = await problemWith(target.item, params['arguments']);
  if (problem === undefined) return pass(call, params, target);
  call.caller.trace.toolFailed('invalid_arguments');
  const name = String(params['name']);
  const { words, isSchema } = problem;
  const text = isSchema
    ? `The arguments of ${name} cannot be checked: ${words}. Whoever runs Slipway can leave that out: validateArguments of Server ${target.server.name}.`
    : `Invalid arguments for ${name}: ${words}.`;
  return call.encode({ content: [{ type: 'text', text }], isError: true }, target.server);
}

/** The message is ours alone by now; a copy would only cost. */
function pass(call: Call, params: Record<string, unknown>, target: Target): Promise<Json> {
  params['name'] = target.name;
  const keeping = target.server.entry.cache && call.caller.state.results.keeping(call, params, target);
  return relay(call, target.server, params, keeping && { keeping });
}
