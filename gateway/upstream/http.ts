/** An upstream over Streamable HTTP (MCP 2025-03-26 and later). */
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { isRequest, type RpcMessage } from '../../schemas/jsonrpc.ts';
import { Peer, type Connection, type RequestOptions } from '../../schemas/peer.ts';
import { contextHeaders } from '../tracing/context.ts';
import { AnswerReader, ListenReader } from './http-readers.ts';
import type { Http } from './http1/client.ts';
import type { HttpCall } from './http1/request.ts';
import { noAnswer, NOTICE_TIMEOUT, NotDelivered, type LinkHandlers, type Welcome } from './link.ts';

/** Pauses between two attempts to listen (ms), and how long saying goodbye may take. */
const LISTEN_PAUSE = 1_000;
const LISTEN_PAUSE_MAX = 30_000;
const GOODBYE_TIMEOUT = 1_000;
/** Pauses before a stream that broke off is taken up again, if the server names none, and at most (ms). */
const RESUME_PAUSE = 1_000;
const RESUME_PAUSE_MAX = 30_000;
/** The least between two attempts of which the first brought nothing (ms). */
const POLL_PAUSE = 250;
/** A stream that was open for so long did not fail at once: proxies cut those on which nothing is said (ms). */
const HELD = 5_000;
/** Attempts that fail, one after another, before it is given up: not those whose stream ended in order, or held for long. */
const MAX_VAIN_RESUMES = 5;
/** How long an upstream may take to take us up again (ms). */
const REOPEN_TIMEOUT = 30_000;

/**
 * A Peer does the conversation (ids, progress, cancellation); each message it sends is a POST, whose answers it receives.
 * What goes out carries our own session and nothing of the client's: its bearer token never reaches an upstream.
 */
export class HttpConnection implements Connection {
  readonly #url: URL;
  readonly #client: Http;
  readonly #peer: Peer;
  readonly #closed = new AbortController();
  #hello: Record<string, unknown> | undefined;
  #welcome: Welcome = {};
  #session: string | undefined;
  #version: string | undefined;
  #headers: Readonly<Record<string, string>> = {};
  #postHeaders: Readonly<Record<string, string>> = {};
  #reopening: Promise<void> | undefined;
  /** The POST that says that we are ready. Never rejects. */
  #introduced: Promise<void> | undefined;
  readonly #onReopen: LinkHandlers['onReopen'];
  readonly #onClose: LinkHandlers['onClose'];
  #left = false;

  constructor(url: URL, client: Http, handlers: LinkHandlers) {
    this.#url = url;
    this.#onReopen = handlers.onReopen;
    this.#onClose = handlers.onClose;
    this.#client = client;
    this.#speakAs(undefined, undefined);
    this.#peer = new Peer({ ...handlers, send: (message, options) => this.#tell(message, options) });
  }

  get inFlight(): number {
    return this.#peer.inFlight;
  }

  get keepsSession(): boolean {
    return this.#session !== undefined;
  }

  request(method: string, params?: Record<string, unknown>, options: RequestOptions = {}): Promise<unknown> {
    const answer = this.#peer.request(method, params, options);
    if (method !== 'initialize') return answer;
    this.#hello = params ?? {};
    return answer.then((result) => {
      this.#welcomed(result);
      return result;
    });
  }

  notify(method: string, params?: Record<string, unknown>): void {
    this.#peer.notify(method, params);
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#peer.close(new SlipwayError('upstream-unavailable', 'The connection was closed.'));
    this.#closed.abort();
    const goodbye =
      this.#session === undefined
        ? Promise.resolve()
        : this.#client
            .send(this.#url, {
              method: 'DELETE',
              headers: this.#headers,
              signal: AbortSignal.timeout(GOODBYE_TIMEOUT),
            })
            .catch(() => {});
    void goodbye.finally(() => this.#client.close());
  }

  #welcomed(result: unknown): void {
    this.#welcome = (result ?? {}) as Welcome;
    const { protocolVersion } = (result ?? {}) as { protocolVersion?: unknown };
    if (typeof protocolVersion === 'string') this.#speakAs(this.#session, protocolVersion);
    // Whatever it says it can do: many a server asks its questions there, and not on the stream of the call.
    if (!this.#reopening) void this.#listen();
  }

  /** Worked out when it changes: calls take their headers as they are. */
  #speakAs(session: string | undefined, version: string | undefined): void {
    this.#session = session;
    this.#version = version;
    this.#headers = {
      Accept: 'application/json, text/event-stream',
      ...(session === undefined ? {} : { 'Mcp-Session-Id': session }),
      ...(version === undefined ? {} : { 'MCP-Protocol-Version': version }),
    };
    this.#postHeaders = { ...this.#headers, 'Content-Type': 'application/json' };
  }

  #tell(message: RpcMessage, options?: RequestOptions): void {
    const sent = this.#send(message, options ?? { signal: AbortSignal.timeout(NOTICE_TIMEOUT) });
    if (!isIntroduction(message)) return;
    const introduced = sent.finally(() => {
      if (this.#introduced === introduced) this.#introduced = undefined;
    });
    this.#introduced = introduced;
  }

  /** Never throws: a request that came to nothing fails with that. @param again whether it was sent in a session that was forgotten */
  async #send(message: RpcMessage, options: RequestOptions, again = false): Promise<void> {
    const request = isRequest(message) ? message : undefined;
    const starts = request?.method === 'initialize';
    try {
      if (request && !starts) {
        // POSTs travel side by side: a session that is not begun yet takes no request.
        if (this.#reopening) await this.#reopening;
        if (this.#introduced) await this.#introduced;
        if (options.admit) await options.admit();
      }
      const reader = new AnswerReader(
        message,
        this.#peer,
        again || starts ? undefined : this.#session,
        this.#endIfLeft,
      );
      if (request && options.bytes) reader.onLarge = (document) => reader.takeRaw(request.id, document);
      if (starts) reader.onSession = (id) => this.#speakAs(id, this.#version);
      let status = 200;
      try {
        ({ status } = await this.#client.send(this.#url, this.#callOf(message, options.signal), reader));
      } catch (error) {
        if (!reader.resume) throw error;
      }
      if (!reader.answered) await this.#unanswered(message, options, reader, status);
    } catch (error) {
      if (request) this.#peer.fail(request.id, toSlipwayError(error, 'upstream-unavailable'));
    }
    this.#endIfLeft();
  }

  #callOf(message: RpcMessage, signal: AbortSignal | undefined): HttpCall {
    const context = isRequest(message) ? contextHeaders(message.params) : undefined;
    const headers = context ? { ...this.#postHeaders, ...context } : this.#postHeaders;
    return { method: 'POST', headers, body: JSON.stringify(message), signal };
  }

  /** Where a POST alone brought no answer. @throws SlipwayError for a request that gets none */
  async #unanswered(message: RpcMessage, options: RequestOptions, reader: AnswerReader, status: number): Promise<void> {
    if (reader.foreign) throw this.#leave();
    const { session } = reader;
    if (session !== undefined && reader.forgot && !isIntroduction(message)) {
      await this.#reopen(session);
      return this.#send(message, options, true);
    }
    if (!isRequest(message)) return;
    await this.#resume(reader, options.signal);
    if (reader.answered) return;
    throw noAnswer(status, message.method);
  }

  /** The server speaks only MCP 2026-07-28 by now: the next request opens a new connection; this one ends with its last. */
  #leave(): NotDelivered {
    if (!this.#left) this.#onClose();
    this.#left = true;
    this.#endIfLeft();
    return new NotDelivered('The server does not speak this revision of MCP any more.');
  }

  readonly #endIfLeft = (): void => {
    if (this.#left && this.#peer.inFlight === 0) this.close();
  };

  /** A call's stream broke off, or the server closed it to be asked again later (SEP-1699): taken up where it was left. */
  async #resume(reader: AnswerReader, signal: AbortSignal | undefined): Promise<void> {
    let isPolled = false;
    for (let vain = 0; reader.resume && !reader.answered && vain < MAX_VAIN_RESUMES;) {
      const { lastEventId, pause: wanted = RESUME_PAUSE } = reader.resume;
      const pause = isPolled ? Math.max(wanted, POLL_PAUSE) : wanted;
      await sleep(Math.min(pause, RESUME_PAUSE_MAX), undefined, { ...(signal ? { signal } : {}), ref: false });
      const headers = { ...this.#headers, 'Last-Event-ID': lastEventId };
      const broken = { status: 0 };
      const began = performance.now();
      const { status } = await this.#client
        .send(this.#url, { method: 'GET', headers, signal }, reader)
        .catch(() => broken);
      if (status >= 300) return;
      // A stream that ends in order without the answer may be asked again for as long as the call may take.
      const hasEnded = status === 200 && reader.isStream;
      isPolled = hasEnded && reader.resume.lastEventId === lastEventId;
      vain = hasEnded || performance.now() - began > HELD ? 0 : vain + 1;
    }
  }

  /** The upstream forgot our session (it restarted): one of the callers opens a new one, the others wait for it. */
  #reopen(forgotten: string): Promise<void> {
    if (this.#session !== forgotten && !this.#reopening) return Promise.resolve();
    const version = this.#version;
    this.#reopening ??= (async () => {
      this.#speakAs(undefined, undefined);
      const signal = AbortSignal.timeout(REOPEN_TIMEOUT);
      const welcome = (await this.request('initialize', this.#hello, { signal })) as Welcome | undefined;
      this.notify('notifications/initialized');
      this.#onReopen(welcome ?? {});
    })()
      .catch((error: unknown) => {
        // Whoever comes next is told the same again, and tries again.
        this.#speakAs(forgotten, version);
        throw error;
      })
      .finally(() => (this.#reopening = undefined));
    return this.#reopening;
  }

  /**
   * Holds the GET stream open, on which a server says what belongs to no request: that its tools changed, say. One that
   * broke off is taken up where it was left; where that cannot be, what was missed is asked for.
   */
  async #listen(): Promise<void> {
    const { signal } = this.#closed;
    let reader = new ListenReader(this.#peer);
    let session = this.#session;
    let listened = false;
    /** In which the server has let us listen. */
    let known: string | undefined;
    for (let pause = LISTEN_PAUSE; !signal.aborted; pause = Math.min(pause * 2, LISTEN_PAUSE_MAX)) {
      // A place in the stream of another session is none in this one's.
      if (session !== this.#session) reader = new ListenReader(this.#peer);
      session = this.#session;
      const place = reader.resume;
      const missed = listened && !place;
      reader.onBegin = () => {
        listened = true;
        known = session;
        if (missed) this.#onReopen(this.#welcome);
      };
      const last = place ? { 'Last-Event-ID': place.lastEventId } : {};
      const began = performance.now();
      // Listening is a courtesy: calls notice by themselves when the server is gone.
      await this.#client
        .send(this.#url, { method: 'GET', headers: { ...this.#headers, ...last }, signal }, reader)
        .catch(() => {});
      if (reader.status === 405) return;
      // It started anew. Who waits for its updates sends nothing that would notice.
      if (session !== undefined && session === known && reader.forgot) await this.#reopen(session).catch(() => {});
      const { resume } = reader;
      if (resume?.lastEventId !== place?.lastEventId || performance.now() - began > pause) pause = LISTEN_PAUSE;
      if (reader.status !== 200) reader = new ListenReader(this.#peer);
      const wait = Math.max(resume?.pause ?? 0, pause * (0.5 + Math.random()));
      await sleep(Math.min(wait, LISTEN_PAUSE_MAX), undefined, { signal, ref: false }).catch(() => {});
    }
  }
}

/** Says that a session has begun: one that is not known any more by then is no reason to begin another at once. */
const isIntroduction = (message: RpcMessage): boolean =>
  'method' in message && message.method === 'notifications/initialized';
