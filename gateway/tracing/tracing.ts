/** Spans of requests, where the config asks for them. What makes and sends them is loaded only then. */
import { isDeepStrictEqual } from 'node:util';
import type { AuditOutcome } from '../../schemas/audit.ts';
import { toSlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import type { Trace } from '../audit/trace.ts';
import { openHeaders } from '../upstream/auth/authorization.ts';
import type { TraceContext } from './context.ts';

export type TracingSettings = NonNullable<Snapshot['gateway']['tracing']>;

/** A request to a server. */
export interface UpstreamSpan {
  /** What the server is told. */
  readonly context: TraceContext;
  end(outcome: AuditOutcome): void;
}

/** Makes spans and sends them. */
export interface Spans extends AsyncDisposable {
  /** What is done for the sake of a request, and has a trace of its own, follows from this. */
  within(trace: Trace): TraceContext;
  upstream(trace: Trace, server: string, method: string): UpstreamSpan;
  /** The request is over. */
  finish(trace: Trace): void;
}

export interface TracingOptions {
  readonly version: string;
  readonly log: Log;
  readonly secrets: OpenSecret;
}

export class Tracing implements AsyncDisposable {
  readonly #options: TracingOptions;
  #settings: TracingSettings | undefined;
  /** Absent while nobody wants any: all that a request pays is this look. */
  spans: Spans | undefined;
  #changing: Promise<void> = Promise.resolve();

  constructor(options: TracingOptions) {
    this.#options = options;
  }

  /** In force as soon as the library is there; the collector may be away. */
  configure(settings: TracingSettings | undefined): void {
    if (isDeepStrictEqual(settings, this.#settings)) return;
    this.#settings = settings;
    this.#changing = this.#changing.then(() => this.#change(settings));
  }

  /** Sends what is left, but does not wait long for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.configure(undefined);
    await this.#changing;
  }

  /** Never rejects: calls are served without spans, too. */
  async #change(settings: TracingSettings | undefined): Promise<void> {
    const before = this.spans;
    this.spans = undefined;
    const { log, secrets, version } = this.#options;
    try {
      await before?.[Symbol.asyncDispose]();
      if (!settings) return;
      const headers = await openHeaders(settings.headers, secrets);
      const { OtlpSpans } = await import('./otlp.ts');
      this.spans = new OtlpSpans({ ...settings, headers, version, log });
    } catch (error) {
      log('warn', `no traces are written: ${toSlipwayError(error).message}`, { cause: String(error) });
    }
  }
}
