/** What is learned of a request of our own, for the sake of a client's: of the same caller, and found by the request that it is a part of. */
import type { Call } from '../era/era.ts';
import { Trace } from './trace.ts';

export function innerTrace({ caller, trace: outer }: Call): Trace {
  const trace = new Trace({ headers: {} });
  trace.correlationId = outer.correlationId ?? outer.requestId;
  trace.parentId = outer.requestId;
  trace.context = caller.state.tracing.spans?.within(outer) ?? outer.context;
  trace.principal = outer.principal;
  trace.grant = outer.grant;
  trace.session = outer.session;
  trace.project = outer.project;
  return trace;
}
