/**
 * `resources/read`, `subscribe` and `unsubscribe`. URIs are not rewritten: one that two servers list belongs to the first
 * of them in the route's order. One that nobody lists (a link in a tool's result, say) is read from the first that has it.
 */
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { traceServer } from '../audit/requests.ts';
import { introduceAll } from '../capabilities.ts';
import type { Call } from '../era/era.ts';
import type { Json } from '../rpc/json.ts';
import type { RouteView } from '../route-view.ts';
import type { Server } from '../upstream/server.ts';
import { isVerdict } from '../upstream/tally.ts';
import { relay } from './relay.ts';

/** @throws RpcFailure when no server has it, as the first of them said it; SlipwayError otherwise */
export function resourcesRead(call: Call): Promise<Json> {
  return firstOf(call, (server, params, charged) => relay(call, server, params, { charged }));
}

/** @throws the same, and SlipwayError `bad-request` for too many subscriptions */
export function subscribe(call: Call): Promise<Json> {
  const { subscriptions } = call.caller.state;
  return firstOf(call, async (server, params) => {
    const uri = String(params['uri']);
    traceServer(call.trace, server);
    subscriptions.add(call.id, server.name, uri, call.until);
    try {
      // Shared: the server hears of the first who wants to know, and of nobody after that.
      if (server.interest.urisOf(call.id).has(uri)) return '{}';
      const send: Server['requestAll'] = async (method, asked, options) => {
        await server.interest.whenUnsubscribed(call.id, uri, options.signal);
        return server.requestAll(method, asked, options);
      };
      const result = await relay(call, server, params, { send });
      server.interest.subscribed(call.id, uri, call.until);
      // The session may have ended meanwhile, and with it the last who wanted to know.
      if (subscriptions.of(server.name, uri).length === 0) server.interest.nobodyWants(uri);
      return result;
    } catch (error) {
      subscriptions.remove(call.id, server.name, uri);
      throw error;
    }
  });
}

/** A client that never subscribed gets the same answer: what it wants is so. */
export function unsubscribe({ caller: { route, state }, id, request, trace }: Call): string {
  const uri = request.params?.['uri'];
  if (typeof uri !== 'string') throw new RpcFailure({ code: RPC.invalidParams, message: 'The URI is missing' });
  const heard = state.subscriptions.serversOf(id, uri);
  const server = route.servers.find(({ name }) => heard.includes(name)) ?? ownersOf(route, uri)[0];
  if (server) traceServer(trace, server);
  for (const name of heard) state.subscriptions.remove(id, name, uri);
  for (const each of route.servers) each.interest.unsubscribed(id, uri);
  return '{}';
}

/** The servers that a URI, or a template, may belong to: those that list it, or else all that have resources. */
export async function candidatesFor({ caller: { route } }: Call, uri: unknown): Promise<readonly Server[]> {
  if (typeof uri !== 'string') throw new RpcFailure({ code: RPC.invalidParams, message: 'The URI is missing' });
  if (route.single) return [route.single];
  await introduceAll(route);
  const { resources, templates } = route.catalogs;
  const listed = resources.known(uri) ?? templates.known(uri);
  if (listed) return [listed.server];
  await Promise.all([resources.load(), templates.load()]);
  const found = ownersOf(route, uri);
  return found.length > 0 ? found : route.servers.filter((server) => server.capabilities?.['resources'] !== undefined);
}

/**
 * The one that lists it, or those with a template that it can come from, the closest first: what a template says of a URI is only a
 * guess, and two servers may have the same one.
 */
function ownersOf({ catalogs, servers }: RouteView, uri: string): readonly Server[] {
  const listed = catalogs.resources.known(uri) ?? catalogs.templates.known(uri);
  if (listed) return [listed.server];
  const close = servers.map((server) => [server, closeness(server, uri)] as const).filter(([, how]) => how >= 0);
  return close.sort(([, a], [, b]) => b - a).map(([server]) => server);
}

/** How many characters of a server's template a URI has that can come from it; -1 where it can come from none. */
function closeness(server: Server, uri: string): number {
  const items = server.state('templates')?.items ?? [];
  const fitting = items.map(({ uriTemplate }) => String(uriTemplate)).filter((template) => matches(template, uri));
  return Math.max(-1, ...fitting.map((template) => template.replaceAll(/\{[^{}]*\}/g, '').length));
}

/** Whether a URI can come from a template (RFC 6570): its literal parts stand in it, in their order, at both ends too. */
export function matches(template: string, uri: string): boolean {
  const parts = template.split(/\{[^{}]*\}/);
  const last = parts.pop() ?? '';
  if (parts.length === 0) return uri === last;
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const found = index === 0 ? (uri.startsWith(part) ? 0 : -1) : uri.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return uri.length - last.length >= at && uri.endsWith(last);
}

async function firstOf(
  call: Call,
  ask: (server: Server, params: Record<string, unknown>, charged: boolean) => Promise<Json>,
): Promise<Json> {
  const params = call.request.params ?? {};
  let refusal: unknown = new RpcFailure({ code: RPC.methodNotFound, message: 'No server here has resources' });
  let first = true;
  for (const server of await candidatesFor(call, params['uri'])) {
    try {
      return await ask(server, { ...params }, !first);
    } catch (error) {
      // That one cannot be had is no answer of the others.
      if (!isVerdict(error)) throw error;
      if (first) refusal = error;
      first = false;
    }
  }
  throw refusal;
}
