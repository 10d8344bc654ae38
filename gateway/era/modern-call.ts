/** A call of MCP 2026-07-28: it stands for itself, and what the server asks meanwhile becomes its result. */
import { RPC, RpcFailure, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { META } from '../../schemas/modern.ts';
import type { Trace } from '../audit/trace.ts';
import type { Caller } from '../exchange.ts';
import type { Json, JsonBytes } from '../rpc/json.ts';
import { badState, sealState } from '../sessions/request-state.ts';
import type { Round } from '../sessions/round.ts';
import { RawResult } from '../upstream/raw-result.ts';
import type { Server } from '../upstream/server.ts';
import { withTasks } from '../methods/tasks.ts';
import type { Call, CallEnd } from './era.ts';
import { urlsRequired } from './modern-errors.ts';

/** What the client came back with. */
export interface Return {
  /** The server that asked; no other must see what it gave us to keep. Absent: any. */
  readonly server?: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export class ModernCall implements Call {
  readonly caller: Caller;
  /** As it came, but for what is the protocol's own. */
  readonly request: RpcRequest;
  /** As it came. */
  readonly #original: RpcRequest;
  readonly round: Round;
  readonly until = Infinity;
  instance: string | undefined;
  readonly #return: Return | undefined;

  constructor(caller: Caller, original: RpcRequest, request: RpcRequest, round: Round, back: Return | undefined) {
    this.caller = caller;
    this.#original = original;
    this.request = request;
    this.round = round;
    this.#return = back;
  }

  get trace(): Trace {
    return this.round.trace;
  }

  get id(): string {
    return this.round.id;
  }

  open(server: Server, onWaiting: (waiting: boolean) => void): CallEnd {
    const back = this.#return;
    if (back?.server !== undefined && back.server !== server.name) throw badState();
    return this.round.open(back?.values, onWaiting);
  }

  /** A request of our own about one resource, for the sake of this call. */
  about(method: string, uri: string): ModernCall {
    const request: RpcRequest = { jsonrpc: '2.0', id: uri, method, params: { uri } };
    return new ModernCall(this.caller, request, request, this.round, undefined);
  }

  notify(method: string, params: Record<string, unknown> | undefined): void {
    this.round.notify(method, params);
  }

  /** Since 2026-07-28, who began a task asks how it stands. */
  afterwards(): void {}

  onGone(listener: () => void): () => void {
    return this.round.onGone(listener);
  }

  encode(result: unknown, server?: Server): Json {
    if (!server) return complete(this.caller, result as Record<string, unknown>);
    const raw = result instanceof RawResult ? result : undefined;
    const spliced = raw && this.request.method === 'tools/call' ? completed(this.caller, raw) : undefined;
    if (spliced) return spliced;
    const whole = (raw ? raw.value() : (result ?? {})) as Record<string, unknown>;
    if (whole['resultType'] === 'input_required') return this.#asks(whole, server);
    if (whole['resultType'] === 'task' || this.request.method.startsWith('tasks/'))
      return complete(this.caller, withTasks(this, whole, server));
    return complete(this.caller, this.request.method === 'resources/read' ? { ...UNCACHED, ...whole } : whole);
  }

  get takesUrls(): boolean {
    return this.round.askable && this.round.asker.declared.includes('elicitation.url');
  }

  refused(error: unknown, server: Server, ours = false): string {
    const inputRequests = urlsRequired(error, this.round.asker.declared);
    if (!inputRequests) throw error;
    // What the server never asked, it must not be answered: the retry begins anew.
    if (ours) return inputRequired({ inputRequests }, sealState(this.caller, this.#original, { anew: true }));
    return this.#asks({ inputRequests }, server);
  }

  /** What the server gave us to keep stays with it: the client gets it sealed, and with it which server it was. */
  #asks({ requestState, ...result }: Record<string, unknown>, server: Server): string {
    const lead = { server: server.name, ...(requestState === undefined ? {} : { state: requestState }) };
    return inputRequired(result, sealState(this.caller, this.#original, lead));
  }
}

/** A result whose freshness nobody vouches for. Behind a token, nothing is for everybody. */
export const UNCACHED = { ttlMs: 0, cacheScope: 'private' } as const;

/** @param result as a server gave it, or ours */
export function complete({ state }: Caller, result: Record<string, unknown>): string {
  const serverInfo = { name: 'slipway', version: state.version };
  return JSON.stringify({
    // What an extension calls it stays.
    resultType: 'complete',
    ...result,
    // Cross-client leak: what is fetched with our credentials came through one caller's permissions.
    ...('cacheScope' in result ? { cacheScope: 'private' } : {}),
    _meta: { [META.serverInfo]: serverInfo, ...(result['_meta'] as object | undefined) },
  });
}

/** Fields of results that mean something to the gateway. */
const OURS = ['resultType', 'cacheScope', '_meta'] as const;

/** The same for one that is not taken apart; `undefined` for one that says something itself of what is added here. */
function completed({ state }: Caller, raw: RawResult): JsonBytes | undefined {
  if (OURS.some((field) => raw.fields.has(field))) return undefined;
  const _meta = { [META.serverInfo]: { name: 'slipway', version: state.version } };
  return raw.with(JSON.stringify({ resultType: 'complete', _meta }).slice(1, -1));
}

export function inputRequired(result: Record<string, unknown>, requestState: string): string {
  return JSON.stringify({ ...result, resultType: 'input_required', requestState });
}

export function methodNotFound(method: string): RpcFailure {
  return new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${method}` });
}
