/** A request of our own to a server, for the sake of a client's: within its limits, and an event of its own in the audit log. */
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { innerTrace } from '../audit/inner-trace.ts';
import { traceRequest } from '../audit/requests.ts';
import type { Trace } from '../audit/trace.ts';
import type { Call, CallEnd } from '../era/era.ts';
import type { Caller } from '../exchange.ts';
import type { RouteView } from '../route-view.ts';
import { RawResult } from '../upstream/raw-result.ts';
import type { Server } from '../upstream/server.ts';

export class InnerCall implements Call {
  readonly caller: Caller;
  readonly request: RpcRequest;
  readonly trace: Trace;
  readonly takesUrls = false;
  readonly #outer: Call;

  /** @param route through which the server is reached */
  constructor(outer: Call, route: RouteView, request: Pick<RpcRequest, 'method' | 'params'>) {
    this.trace = innerTrace(outer);
    this.trace.project = route.project;
    this.caller = { ...outer.caller, route, trace: this.trace };
    this.request = { jsonrpc: '2.0', id: `inner ${this.trace.requestId}`, ...request } as RpcRequest;
    this.#outer = outer;
    traceRequest(this.trace, this.request);
  }

  get id(): string {
    return this.#outer.id;
  }

  get until(): number {
    return this.#outer.until;
  }

  open(server: Server, onWaiting: (waiting: boolean) => void): CallEnd {
    return this.#outer.open(server, onWaiting);
  }

  notify(): void {}

  onGone(listener: () => void): () => void {
    return this.#outer.onGone(listener);
  }

  /** As the server gave it, whatever the era. */
  encode(result: unknown): string {
    return JSON.stringify(result instanceof RawResult ? result.value() : result) ?? '{}';
  }

  refused(error: unknown): never {
    throw error;
  }

  /** It has ended, well or not. */
  finish(): void {
    const { trace, caller } = this;
    trace.durationMs = performance.now() - trace.began;
    trace.commit = caller.generation.snapshot.commit;
    caller.state.audit.record(trace);
  }
}
