/** A call within a session (MCP ≤ 2025-11-25): what the server asks meanwhile is a request on the call's own stream. */
import { RPC, RpcFailure, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { related } from '../../schemas/tasks.ts';
import type { Trace } from '../audit/trace.ts';
import type { Caller } from '../exchange.ts';
import type { Json } from '../rpc/json.ts';
import type { Answer } from '../rpc/reply.ts';
import { CallClient } from '../sessions/call-client.ts';
import type { Session } from '../sessions/seal.ts';
import { expiryOf } from '../sessions/session.ts';
import { RawResult } from '../upstream/raw-result.ts';
import type { Server } from '../upstream/server.ts';
import { withTasks } from '../methods/tasks.ts';
import type { Call, CallEnd } from './era.ts';

export class LegacyCall implements Call {
  readonly caller: Caller;
  readonly request: RpcRequest;
  readonly session: Session;
  readonly reply: Answer;
  instance: string | undefined;

  constructor(caller: Caller, request: RpcRequest, session: Session, reply: Answer) {
    this.caller = caller;
    this.request = request;
    this.session = session;
    this.reply = reply;
  }

  get trace(): Trace {
    return this.caller.trace;
  }

  get id(): string {
    return this.session.id;
  }

  get until(): number {
    const { state, generation } = this.caller;
    // One that is a stream lasts as long as the stream.
    if (state.oldSessions.has(this.id)) return Infinity;
    return expiryOf(this.session, generation.snapshot.gateway.sessionTtlMs);
  }

  get takesUrls(): boolean {
    return this.session.capabilities.includes('elicitation.url');
  }

  open(server: Server, onWaiting: (waiting: boolean) => void): CallEnd {
    return new CallClient(this, server.name, onWaiting);
  }

  notify(method: string, params: Record<string, unknown> | undefined): void {
    this.reply.notify(method, params);
  }

  afterwards(method: string, params: Record<string, unknown>, server: Server): void {
    const { state, identity } = this.caller;
    const at = { server: server.name, instance: this.instance };
    const told = related(params, (id) => state.tasks.nameFor(identity, { ...at, id }));
    state.streams.of(this.session.id)?.writer.event(JSON.stringify({ jsonrpc: '2.0', method, params: told }));
  }

  onGone(listener: () => void): () => void {
    return this.reply.onGone(listener);
  }

  encode(result: unknown, server?: Server): Json {
    if (!server) return JSON.stringify(result);
    const { method, params } = this.request;
    // Only who asked for a task can get one.
    const isTask = method === 'tools/call' ? params?.['task'] !== undefined : method.startsWith('tasks/');
    if (result instanceof RawResult) {
      if (!isTask) return result.json;
      return JSON.stringify(withTasks(this, result.value(), server)) ?? '{}';
    }
    return JSON.stringify(isTask ? withTasks(this, result, server) : result) ?? '{}';
  }

  refused(error: unknown, server: Server): never {
    this.caller.state.elicitations.addRequired(server.name, error, this.session.id);
    throw isNotFound(error, this.request) ? inOldWords(error) : error;
  }
}

/** Resource not found as 2026-07-28 says it: invalid parameters, with the URI. */
function isNotFound(error: unknown, { method }: RpcRequest): error is RpcFailure {
  if (method !== 'resources/read' || !(error instanceof RpcFailure)) return false;
  const { code, data } = error.error;
  return code === RPC.invalidParams && typeof (data as { uri?: unknown } | undefined)?.uri === 'string';
}

function inOldWords({ error }: RpcFailure): RpcFailure {
  return new RpcFailure({ ...error, code: RPC.resourceNotFound });
}
