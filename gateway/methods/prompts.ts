/** `prompts/get` and `completion/complete`: to the server behind the prompt's name, or behind the template. */
import { SlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Target } from '../catalog.ts';
import { traceServer } from '../audit/requests.ts';
import type { Call } from '../era/era.ts';
import { traceHidden } from './blocked.ts';
import { OWN } from '../results/of-route.ts';
import { readOn } from '../results/reading.ts';
import { messageOf } from '../results/config-texts.ts';
import { shaped } from '../results/reshape.ts';
import { summaryOf } from '../prompts/digest.ts';
import type { Prompt } from '../prompts/prompts.ts';
import type { Json } from '../rpc/json.ts';
import { changing } from '../plugins/calls.ts';
import { relay } from './relay.ts';
import { candidatesFor } from './resources.ts';

/** @throws RpcFailure for an unknown prompt, or as the server answered; SlipwayError otherwise */
export async function promptsGet(call: Call): Promise<Json> {
  const params = call.request.params ?? {};
  const own = call.caller.route.prompts?.get(String(params['name']));
  if (own) return readOn(call, params['arguments'], { name: own.name }, 'prompt') ?? ownPrompt(call, own);
  const { server, name } = await promptOf(call, params['name']);
  traceServer(call.trace, server, name);
  return readOn(call, params['arguments'], { server, name }, 'prompt') ?? relay(call, server, { ...params, name });
}

/** @throws RpcFailure for a reference to nothing, or as the server answered; SlipwayError otherwise */
export async function complete(call: Call): Promise<Json> {
  const params = call.request.params ?? {};
  const ref = (params['ref'] ?? {}) as Record<string, unknown>;
  if (ref['type'] === 'ref/prompt') {
    // Ours take no arguments.
    if (call.caller.route.prompts?.get(String(ref['name']))) return call.encode({ completion: { values: [] } });
    const { server, name } = await promptOf(call, ref['name']);
    return relay(call, server, { ...params, ref: { ...ref, name } });
  }
  const [server] = await candidatesFor(call, ref['uri']);
  if (!server) throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown reference' });
  return relay(call, server, params);
}

/** @throws SlipwayError upstream-unavailable for a link that cannot be read, and as a limit or a budget refuses it */
async function ownPrompt(call: Call, prompt: Prompt): Promise<Json> {
  const read = await call.caller.state.prompts.links.read(call, prompt);
  if ('problem' in read && read.refusal) throw read.refusal;
  if ('problem' in read)
    throw new SlipwayError('upstream-unavailable', `The prompt ${prompt.name} cannot be read: ${read.problem}.`);
  const told = read.budgets === undefined ? {} : { _meta: { 'slipway/budgets': read.budgets } };
  const result = { description: summaryOf(prompt), ...messageOf(read.text), ...told };
  const { course, route } = call.caller;
  const change = route.plugin && changing(route.plugin, call, undefined, { name: prompt.name });
  const changed = change ? await change(result) : result;
  const pipeline = route.pipelines?.get(OWN);
  if (!pipeline) return call.encode(changed);
  const shape = { pipeline, input: 'prompt', name: prompt.name, limit: undefined, timeout: course.timeout } as const;
  return shaped(call, undefined, shape, changed);
}

async function promptOf(call: Call, name: unknown): Promise<Pick<Target, 'server' | 'name'>> {
  if (typeof name !== 'string')
    throw new RpcFailure({ code: RPC.invalidParams, message: 'The prompt name is missing' });
  const { route } = call.caller;
  // Where names are the server's own, it knows best which there are.
  if (route.single) return { server: route.single, name };
  const { prompts } = route.catalogs;
  const target = prompts.known(name) ?? (await prompts.find(name));
  if (target) return target;
  traceHidden(call, name);
  throw new RpcFailure({ code: RPC.invalidParams, message: `Unknown prompt: ${name}` });
}
