/** A call of a tool out of a script: a call like any other, with a trace of its own, for the client of the script. */
import type { Call, CallEnd } from '../era/era.ts';
import { innerTrace } from '../audit/inner-trace.ts';
import { traceRequest } from '../audit/requests.ts';
import type { Trace } from '../audit/trace.ts';
import type { Caller } from '../exchange.ts';
import type { RpcRequest } from '../../schemas/jsonrpc.ts';
import type { Json } from '../rpc/json.ts';
import type { NamedPipeline } from '../results/of-route.ts';
import type { RouteView } from '../route-view.ts';
import type { Server } from '../upstream/server.ts';
import { RawResult } from '../upstream/raw-result.ts';

/** The script that a call is made from. */
export interface Around {
  readonly outer: Call;
  readonly route: RouteView;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Called when the client is asked something because of it, and when it no longer is. */
  readonly onAsking: (isAsking: boolean) => void;
}

/** Stages of pipelines that a script needs, too: what they take out is for no agent. The others save context, and a script wants all. */
const KEPT: ReadonlySet<string> = new Set(['redact', 'module']);

/** The route, with results whole. */
export function forScripts(route: RouteView): RouteView {
  if (!route.pipelines) return route;
  const kept = [...route.pipelines].flatMap(([server, pipeline]): [string, NamedPipeline][] => {
    const stages = pipeline.stages.filter(({ type }) => KEPT.has(type));
    return stages.length === 0 ? [] : [[server, { ...pipeline, stages, isWhole: true }]];
  });
  return { ...route, pipelines: kept.length === 0 ? undefined : new Map(kept) };
}

export class InnerCall implements Call {
  readonly caller: Caller;
  readonly request: RpcRequest;
  readonly trace: Trace;
  readonly #outer: Call;
  readonly #signal: AbortSignal;
  readonly #onAsking: (isAsking: boolean) => void;

  /**
   * @param outer the call of the script @param route as {@link forScripts} gives it
   * @param name of the tool, as clients of the route call it
   */
  constructor({ outer, route, signal, onAsking }: Around, name: string, args: unknown) {
    this.#outer = outer;
    this.#signal = signal;
    this.#onAsking = onAsking;
    this.trace = innerTrace(outer);
    this.caller = { ...outer.caller, route, trace: this.trace };
    this.request = {
      jsonrpc: '2.0',
      // No client's: it could take back another's.
      id: `script ${this.trace.requestId}`,
      method: 'tools/call',
      params: { name, arguments: args },
    };
    traceRequest(this.trace, this.request);
  }

  get id(): string {
    return this.#outer.id;
  }

  get until(): number {
    return this.#outer.until;
  }

  /** The script cannot be begun again with what a person answers, so the client is asked while it waits. */
  get takesUrls(): boolean {
    return false;
  }

  open(server: Server, onWaiting: (waiting: boolean) => void): CallEnd {
    // A round knows of all its questions, and this is about those of one call.
    const client = this.#outer.open(server, () => {});
    let open = 0;
    const isWaiting = (waiting: boolean): void => {
      this.#onAsking(waiting);
      onWaiting(waiting);
    };
    return askedOnly(client, async (request, asked) => {
      if (open++ === 0) isWaiting(true);
      try {
        return await client.request(request, asked);
      } finally {
        if (--open === 0) isWaiting(false);
      }
    });
  }

  /** A script asks for no progress of its calls, and tells of its own. */
  notify(): void {}

  onGone(listener: () => void): () => void {
    if (this.#signal.aborted) listener();
    else this.#signal.addEventListener('abort', listener, { once: true });
    return () => this.#signal.removeEventListener('abort', listener);
  }

  /** In no era's words: the script reads it. */
  encode(result: unknown): Json {
    return result instanceof RawResult ? result.json : JSON.stringify(result ?? {});
  }

  refused(error: unknown): never {
    throw error;
  }
}

/** It is not handed a question as a result, but asked. */
function askedOnly(client: CallEnd, request: CallEnd['request']): CallEnd {
  return {
    id: client.id,
    capabilities: client.capabilities,
    info: client.info,
    logLevel: client.logLevel,
    takesInput: false,
    request,
    notify: (notification) => client.notify(notification),
    end: () => client.end(),
  };
}
