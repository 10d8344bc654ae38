/** Which requests are events, and what is kept of them. */
import type { AuditKind } from '../../schemas/audit.ts';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { contextIn } from '../tracing/context.ts';
import type { Server } from '../upstream/server.ts';
import type { Trace } from './trace.ts';

/** What reaches a server, and what begins a session. Lists are the same for everybody who asks, and are asked for all the time. */
const KINDS: ReadonlyMap<string, AuditKind> = new Map<string, AuditKind>([
  ['tools/call', 'tool_call_trace'],
  ['initialize', 'session_bind'],
  ['prompts/get', 'mcp_request'],
  ['resources/read', 'mcp_request'],
  ['resources/subscribe', 'mcp_request'],
  ['resources/unsubscribe', 'mcp_request'],
  ['subscriptions/listen', 'mcp_request'],
  ['completion/complete', 'mcp_request'],
  ['tasks/get', 'mcp_request'],
  ['tasks/result', 'mcp_request'],
  ['tasks/update', 'mcp_request'],
  ['tasks/cancel', 'mcp_request'],
]);

/** Notes what a client asks for. The arguments are kept by reference; they are hashed when there is time. */
export function traceRequest(trace: Trace, { method, params }: RpcRequest): void {
  trace.follows(contextIn(params));
  const kind = KINDS.get(method);
  if (!kind) return void (trace.method = shortened(method));
  trace.event(kind, method);
  const name = params?.['name'] ?? params?.['uri'];
  if (typeof name === 'string') trace.tool = shortened(name);
  trace.arguments = params?.['arguments'];
}

/** More is kept of no name (characters). */
const LONGEST = 512;

/**
 * Memory exhaustion: names are the client's and outlive its request, in queues, spans and caches. One of megabytes is cut; as a
 * copy, because a slice would hold on to all of it.
 */
function shortened(name: string): string {
  return name.length <= LONGEST ? name : (JSON.parse(JSON.stringify(`${name.slice(0, LONGEST)}…`)) as string);
}

/** It is for this server. @param name the server's own, of the tool */
export function traceServer(trace: Trace, { name, entry }: Server, tool?: string): void {
  trace.server = name;
  trace.level = entry.audit;
  if (tool !== undefined) trace.tool = shortened(tool);
}

/** Reading how it stands is no event: people and scripts do it all the time. Refusals of it are. */
const READING = /^GET \/api\/v1\/(status|stats|budgets|resources|actual|orphans|auth|denied)(\/|$)/;

export function traceControl(trace: Trace, httpMethod: string | undefined, path: string): void {
  const method = `${httpMethod ?? 'GET'} ${path}`;
  if (READING.test(method)) trace.method = method;
  else trace.event('control', method);
}
