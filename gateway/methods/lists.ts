/** `tools/list` and its like: everything on one page, so no cursor was ever handed out. */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { has, introduceAll } from '../capabilities.ts';
import type { Catalog } from '../catalog.ts';
import type { Call, Method } from '../era/era.ts';
import { inTime } from '../limits/allowance.ts';
import { listedBy } from '../plugins/shown.ts';
import type { Json } from '../rpc/json.ts';
import { LISTS, type ListName } from '../upstream/lists.ts';

/** The method that answers with a list. It throws RpcFailure: invalid params for a cursor, method not found where no server has it. */
export function lister(list: ListName): Method<Call> {
  return (call) => answered(list, call, (catalog) => catalog.list());
}

/** The same for MCP 2026-07-28, whose lists say how long they stay fresh. */
export function modernLister(list: ListName): Method<Call> {
  return (call) => answered(list, call, (catalog) => catalog.modernList(call.caller.state.version));
}

/** What is known is answered at once. */
function answered(
  list: ListName,
  call: Call,
  from: (catalog: Pick<Catalog, 'list' | 'modernList'>) => Json | Promise<Json>,
): Json | Promise<Json> {
  const checking = check(list, call);
  const { catalogs, discovery, gate, plugin } = call.caller.route;
  const catalog = list === 'tools' ? (gate?.listFor(call) ?? discovery ?? catalogs.tools) : catalogs[list];
  const whole = checking ? checking.then(() => from(catalog)) : from(catalog);
  const json = plugin ? listedBy(plugin, call, list, whole) : whole;
  return json instanceof Promise ? inTime(call, json) : json;
}

function check(list: ListName, { caller: { route }, request }: Call): Promise<void> | undefined {
  const { capability, method } = LISTS[list];
  if (request.params?.['cursor'] !== undefined)
    throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown cursor' });
  if (list === 'tools') return undefined;
  return introduceAll(route).then(() => {
    if (has(route, capability)) return;
    throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${method}` });
  });
}
