/** Spans by OpenTelemetry, sent as OTLP over HTTP. Nothing is registered globally: each gateway has its own. */
import { createTraceState, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace as api, type Span } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import type { AuditOutcome } from '../../schemas/audit.ts';
import type { Log } from '../../schemas/log.ts';
import type { Trace } from '../audit/trace.ts';
import type { TraceContext } from './context.ts';
import type { Spans, UpstreamSpan } from './tracing.ts';

/** How long a collector may take, and how long the last spans may when the gateway stops (ms). */
const EXPORT_TIMEOUT = 10_000;
const LAST_EXPORT = 2_000;

export interface OtlpOptions {
  readonly endpoint: string;
  readonly sampleRatio: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly version: string;
  readonly log: Log;
}

export class OtlpSpans implements Spans {
  readonly #provider: TracerProvider;
  readonly #tracer;
  /** Of requests that are not over. */
  readonly #open = new WeakMap<Trace, Span>();

  constructor({ endpoint, sampleRatio, headers, version, log }: OtlpOptions) {
    const exporter = new OTLPTraceExporter({ url: endpoint, headers: { ...headers }, timeoutMillis: EXPORT_TIMEOUT });
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'slipway', 'service.version': version }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }),
      spanProcessors: [new BatchSpanProcessor({ exporter: told(exporter, endpoint, log) })],
    });
    this.#tracer = this.#provider.getTracer('slipway', version);
  }

  within(trace: Trace): TraceContext {
    return asContext(this.#request(trace));
  }

  upstream(trace: Trace, server: string, method: string): UpstreamSpan {
    const parent = api.setSpan(ROOT_CONTEXT, this.#request(trace));
    const attributes = {
      'mcp.method.name': method,
      'server.address': server,
      ...(trace.tool === undefined ? {} : { 'gen_ai.tool.name': trace.tool }),
    };
    const name = trace.tool === undefined ? method : `${method} ${trace.tool}`;
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, parent);
    return {
      context: asContext(span),
      end: (outcome) => {
        judge(span, outcome);
        span.end();
      },
    };
  }

  finish(trace: Trace): void {
    const span = this.#request(trace);
    const { method, tool, server, project, principal, status, deniedReason, requestId } = trace;
    span.updateName(tool === undefined ? method : `${method} ${tool}`);
    const attributes = {
      'mcp.method.name': method,
      'gen_ai.tool.name': tool,
      'slipway.server': server,
      'slipway.project': project,
      'slipway.principal': principal,
      'slipway.request_id': requestId,
      'http.response.status_code': status,
      'error.type': deniedReason,
    };
    for (const [key, value] of Object.entries(attributes)) if (value !== undefined) span.setAttribute(key, value);
    judge(span, trace.outcome);
    span.end();
    this.#open.delete(trace);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const late = AbortSignal.timeout(LAST_EXPORT);
    const given = new Promise<void>((resolve) => late.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([this.#provider.shutdown().catch(() => {}), given]);
  }

  /** The span of a request: begun when it came, whoever asks for it first. */
  #request(trace: Trace): Span {
    const known = this.#open.get(trace);
    if (known) return known;
    const span = this.#tracer.startSpan(
      trace.method,
      { kind: SpanKind.SERVER, startTime: trace.at },
      contextOf(trace.context),
    );
    this.#open.set(trace, span);
    return span;
  }
}

function asContext(span: Span): TraceContext {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  return { traceId, spanId, flags: traceFlags, state: traceState?.serialize() || undefined };
}

function contextOf(context: TraceContext | undefined) {
  if (!context) return ROOT_CONTEXT;
  const { traceId, spanId, flags, state } = context;
  const traceState = state === undefined ? {} : { traceState: createTraceState(state) };
  return api.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: flags, isRemote: true, ...traceState });
}

function judge(span: Span, outcome: AuditOutcome): void {
  if (outcome !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
}

/** A collector that does not take spans is told of once, and again after it did. */
function told(exporter: SpanExporter, endpoint: string, log: Log): SpanExporter {
  let isAway = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.error !== undefined;
        if (failed && !isAway)
          log('warn', 'the collector does not take traces', { endpoint, error: result.error?.message });
        isAway = failed;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush ? { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() } : {}),
  };
}
