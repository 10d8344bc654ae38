/** A call of a tool out of a script: a call like any other, with a trace of its own, for the client of the script. */
import type { Call, CallEnd } from '../era/era.ts';
import { InnerCall } from '../methods/inner-call.ts';
import type { NamedPipeline } from '../results/of-route.ts';
import type { RouteView } from '../route-view.ts';
import type { Server } from '../upstream/server.ts';

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

export class ScriptCall extends InnerCall {
  readonly #around: Around;

  /**
   * @param around whose route is as {@link forScripts} gives it
   * @param name of the tool, as clients of the route call it
   */
  constructor(around: Around, name: string, args: unknown) {
    super(around.outer, around.route, { method: 'tools/call', params: { name, arguments: args } });
    this.#around = around;
  }

  override open(server: Server, onWaiting: (waiting: boolean) => void): CallEnd {
    // A round knows of all its questions, and this is about those of one call.
    const client = this.outer.open(server, () => {});
    let open = 0;
    const isWaiting = (waiting: boolean): void => {
      this.#around.onAsking(waiting);
      onWaiting(waiting);
    };
    const request: CallEnd['request'] = async (question, asked) => {
      if (open++ === 0) isWaiting(true);
      try {
        return await client.request(question, asked);
      } finally {
        if (--open === 0) isWaiting(false);
      }
    };
    return askedOnly(client, { request, waits: isWaiting });
  }

  /** Gone is whoever waits for it: with the script, too. */
  override onGone(listener: () => void): () => void {
    const { signal } = this.#around;
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener, { once: true });
    return () => signal.removeEventListener('abort', listener);
  }
}

/** It is not handed a question as a result, but asked. */
function askedOnly(client: CallEnd, { request, waits }: Pick<CallEnd, 'request' | 'waits'>): CallEnd {
  return {
    id: client.id,
    principal: client.principal,
    capabilities: client.capabilities,
    info: client.info,
    logLevel: client.logLevel,
    takesInput: false,
    request,
    notify: (notification) => client.notify(notification),
    waits,
    end: () => client.end(),
  };
}
