/** A request of our own to a server, for the sake of a client's: within its limits, and an event of its own in the audit log. */
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import { finish } from '../audit/finish.ts';
import { innerTrace } from '../audit/inner-trace.ts';
import { traceRequest } from '../audit/requests.ts';
import type { Trace } from '../audit/trace.ts';
import type { Call, CallEnd } from '../era/era.ts';
import type { Caller } from '../exchange.ts';
import type { RouteView } from '../route-view.ts';
import type { Json } from '../rpc/json.ts';
import { RawResult } from '../upstream/raw-result.ts';
import type { Server } from '../upstream/server.ts';

export class InnerCall implements Call {
  readonly caller: Caller;
  readonly request: RpcRequest;
  readonly trace: Trace;
  instance: string | undefined;
  /** It cannot be begun again with what a person answers, so the client is asked while it waits. */
  readonly takesUrls = false;
  protected readonly outer: Call;

  /** @param outer for whose sake @param route through which the server is reached */
  constructor(outer: Call, route: RouteView, { method, params }: Pick<RpcRequest, 'method' | 'params'>) {
    this.outer = outer;
    this.trace = innerTrace(outer);
    this.trace.project = route.project;
    this.caller = { ...outer.caller, route, trace: this.trace };
    // No client's: it could take back another's.
    this.request = { jsonrpc: '2.0', id: `inner ${this.trace.requestId}`, method, params: params ?? {} };
    traceRequest(this.trace, this.request);
  }

  get id(): string {
    return this.outer.id;
  }

  get until(): number {
    return this.outer.until;
  }

  open(server: Server, onWaiting: (waiting: boolean) => void): CallEnd {
    return this.outer.open(server, onWaiting);
  }

  /** Nobody asked for progress of it. */
  notify(): void {}

  afterwards(): void {}

  onGone(listener: () => void): () => void {
    return this.outer.onGone(listener);
  }

  /** In no era's words: we read it. */
  encode(result: unknown): Json {
    return result instanceof RawResult ? result.json : JSON.stringify(result ?? {});
  }

  refused(error: unknown): never {
    throw error;
  }

  /** It has ended, well or not. To be called once. */
  finish(): void {
    const { state, generation, request, response } = this.caller;
    finish(state, { generation, request, response, trace: this.trace });
  }
}
