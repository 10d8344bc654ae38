/** W3C Trace Context, and how MCP carries it: `traceparent` and `tracestate` in `_meta` (SEP-414), besides the headers of HTTP. */

/** Who began a trace, and where in it we are. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
  readonly state: string | undefined;
}

type Params = Readonly<Record<string, unknown>>;

const PARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** Header injection: visible ASCII only, and no more than the standard asks to be kept. */
const STATE = /^[ -~]{1,512}$/;

/** @returns `undefined` for what is no context: it is then as if there were none (W3C Trace Context §4.3) */
export function readContext(parent: unknown, state: unknown): TraceContext | undefined {
  const [, traceId, spanId, flags = ''] = (typeof parent === 'string' && PARENT.exec(parent)) || [];
  if (traceId === undefined || spanId === undefined) return undefined;
  const isState = typeof state === 'string' && STATE.test(state);
  return { traceId, spanId, flags: Number.parseInt(flags, 16), state: isState ? state : undefined };
}

export const parentText = ({ traceId, spanId, flags }: TraceContext): string =>
  `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, '0')}`;

/** The parameters of a request with a context in their `_meta`. */
export function withContext(params: Params, context: TraceContext): Record<string, unknown> {
  const { state } = context;
  const own = { traceparent: parentText(context), ...(state === undefined ? {} : { tracestate: state }) };
  return { ...params, _meta: { ...(params['_meta'] as object | undefined), ...own } };
}

/** The context in a request's `_meta`. */
export function contextIn(params: Params | undefined): TraceContext | undefined {
  const meta = params?.['_meta'] as Params | null | undefined;
  const parent = meta?.['traceparent'];
  return parent === undefined ? undefined : readContext(parent, meta?.['tracestate']);
}

/** The same as headers of HTTP, for servers that look there. */
export function contextHeaders(params: Params | undefined): Record<string, string> | undefined {
  const context = contextIn(params);
  if (!context) return undefined;
  return { traceparent: parentText(context), ...(context.state === undefined ? {} : { tracestate: context.state }) };
}
