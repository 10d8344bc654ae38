/** What a call of a tool gets that is not open to its caller. The server never hears of it. */
import { inWords, maySeePlace, placeOf, remedyFor, type Decision } from '../../schemas/access.ts';
import type { Call } from '../era/era.ts';
import { traceServer } from '../audit/requests.ts';
import type { RouteView } from '../route-view.ts';
import type { Json } from '../rpc/json.ts';
import type { Server } from '../upstream/server.ts';

/** @returns the result of the call: a failure of the tool, so that a model reads why */
export function blocked(call: Call, server: Server, tool: string, decision: Decision): Json {
  traceServer(call.caller.trace, server, tool);
  return blockedAs(call, server.name, tool, decision, server);
}

/** The same for a tool of no server. @param name what rules know it by, in place of a server's */
export function blockedAs(call: Call, name: string, tool: string, decision: Decision, server?: Server): Json {
  const { identity, route, trace, generation } = call.caller;
  const { rule } = decision;
  const isDrift = decision.level === 'lock';
  trace.denied(isDrift ? 'tool-drift' : 'blocked');
  trace.detail = { decision };
  const about = [`${name}:${tool} is blocked: ${inWords(decision)}.`];
  if (rule?.message !== undefined) about.push(`Details: ${rule.message}`);
  // How the config is laid out is for those who may look at it.
  if (maySeePlace(identity.grant, decision, name, route.project)) {
    if (rule) about.push(`Rule: ${placeOf(rule)}, commit ${generation.snapshot.commit.slice(0, 12)}.`);
    about.push(`To lift it: ${remedyFor(decision, name, tool)} Then push.`);
  }
  const id = trace.requestId;
  if (identity.grant.may('view', 'roles')) about.push(`\`slipway explain denied ${id}\` says more.`);
  else about.push(`To lift it, ask whoever keeps the config of this gateway, and name the request ${id}.`);
  return call.encode(
    {
      content: [{ type: 'text', text: about.join('\n') }],
      isError: true,
      _meta: { 'slipway/policy': isDrift ? 'tool-drift' : 'blocked', lazyMcpPolicy: 'blocked' },
    },
    server,
  );
}

/**
 * Notes that a name leads to a server of which its caller may not even know. Enumeration: the answer is the one for a name that leads
 * nowhere, but who asked for it stands in the audit log as refused.
 */
export function traceHidden({ caller, trace }: Call, name: string): void {
  const { generation, route } = caller;
  const { separator } = route;
  const there = separator === undefined ? undefined : generation.routes.get(route.path)?.servers;
  const hidden = there?.find((server) => name.startsWith(server.name + separator) && !route.servers.includes(server));
  if (!hidden) return;
  traceServer(trace, hidden, name.slice(hidden.name.length + (separator ?? '').length));
  trace.denied('forbidden');
  trace.isHidden = true;
}

const NO_ROLE: Decision = { allowed: false, level: 'grant' };

/** The server that a tool's name belongs to where the caller may know of that server, but not use it. */
export function closedTo(
  { closed, servers, separator }: RouteView,
  name: string,
): [Server, string, Decision] | undefined {
  if (separator === undefined) return closed[0] && servers.length === 0 ? [closed[0], name, NO_ROLE] : undefined;
  const server = closed.find((one) => name.startsWith(one.name + separator));
  return server && [server, name.slice(server.name.length + separator.length), NO_ROLE];
}
