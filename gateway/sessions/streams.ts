/** The GET streams: what the gateway tells clients unasked. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { RpcNotification } from '../../schemas/jsonrpc.ts';
import type { Identity } from '../auth/identity.ts';
import type { Source } from '../exchange.ts';
import type { EventWriter } from '../rpc/sse-writer.ts';
import type { Session } from './seal.ts';

/** Below the idle limits of common proxies (ms). */
const KEEP_ALIVE = 25_000;

/** Bounds the memory that listeners can take: in all, and of one principal. */
const MAX_STREAMS = 10_000;
const MAX_PER_PRINCIPAL = 1_000;

export interface Stream {
  readonly sessionId: string;
  readonly route: string;
  /** Whose it is, as it was when it was opened. */
  readonly identity: Identity;
  readonly source: Source;
  /** Unix time (ms) at which its session ends. */
  readonly expiresAt: number;
  readonly writer: EventWriter;
  /** Absent since 2026-07-28, where a client is asked in answers to its calls. */
  readonly session?: Session;
  /** How its client wants to be told; `undefined` for what is not for it. Without it: as it is. */
  readonly phrase?: (notification: RpcNotification) => string | undefined;
  /** Whether calls are answered on it: a shutdown waits for them before it ends the stream. */
  readonly answers?: boolean;
  /** What is said before it is closed from this side (JSON). */
  readonly farewell?: string;
}

export class Streams {
  readonly #bySession = new Map<string, Stream>();
  /** How many each principal has open. */
  readonly #held = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  /** @param allowed whether a stream's owner may still listen; asked at every keep-alive and by {@link review} */
  constructor(allowed: (stream: Stream) => boolean) {
    this.#allowed = allowed;
    this.#timer = setInterval(() => this.#keepAlive(), KEEP_ALIVE).unref();
  }

  readonly #allowed: (stream: Stream) => boolean;

  /**
   * To be called right before {@link add}.
   *
   * Stream exhaustion: no principal can take the streams of all the others, by opening sessions without end.
   * @throws SlipwayError `exists`: one stream a session, so that abandoned ones cannot pile up; `concurrency-limited`
   */
  claim(sessionId: string, { key }: Pick<Identity, 'key'>): void {
    const before = this.#bySession.get(sessionId);
    if (before?.writer.attached === false) this.end(sessionId);
    else if (before)
      throw new SlipwayError('exists', 'The session has an open stream already.', { hint: 'Close it first.' });
    const own = this.#held.get(key) ?? 0;
    if (own >= MAX_PER_PRINCIPAL)
      throw new SlipwayError(
        'concurrency-limited',
        `${own} streams of yours are open, which is as many as one may have.`,
      );
    if (this.#bySession.size >= MAX_STREAMS) throw new SlipwayError('concurrency-limited');
  }

  add(stream: Stream): void {
    const { key } = stream.identity;
    this.#bySession.set(stream.sessionId, stream);
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    stream.writer.comment('open');
  }

  of(sessionId: string): Stream | undefined {
    return this.#bySession.get(sessionId);
  }

  has(sessionId: string): boolean {
    return this.#bySession.has(sessionId);
  }

  remove(stream: Stream): void {
    if (this.#bySession.get(stream.sessionId) !== stream) return;
    this.#bySession.delete(stream.sessionId);
    const { key } = stream.identity;
    const left = (this.#held.get(key) ?? 0) - 1;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
  }

  end(sessionId: string): void {
    const stream = this.#bySession.get(sessionId);
    if (stream?.farewell !== undefined) stream.writer.event(stream.farewell);
    stream?.writer.end();
    if (stream) this.remove(stream);
  }

  get size(): number {
    return this.#bySession.size;
  }

  /** @param wanted of those that listen on the route, which it is for */
  notify(route: string, notification: RpcNotification, wanted: (stream: Stream) => boolean): void {
    for (const stream of this.#bySession.values())
      if (stream.route === route && wanted(stream)) this.#tell(stream, notification);
  }

  /** @param methods of the notices for each */
  notifyEach(methods: (stream: Stream) => readonly string[]): void {
    for (const stream of this.#bySession.values())
      for (const method of methods(stream)) this.#tell(stream, { jsonrpc: '2.0', method });
  }

  /** Ends the streams of those who may no longer listen. */
  review(): void {
    for (const stream of this.#bySession.values())
      if (stream.expiresAt <= Date.now() || !this.#allowed(stream)) this.end(stream.sessionId);
  }

  /** Ends those on which no call is answered. */
  endIdle(): void {
    for (const { sessionId, answers } of this.#bySession.values()) if (!answers) this.end(sessionId);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const sessionId of this.#bySession.keys()) this.end(sessionId);
  }

  #keepAlive(): void {
    this.review();
    for (const stream of this.#bySession.values()) this.#send(stream);
  }

  #tell(stream: Stream, notification: RpcNotification): void {
    const text = stream.phrase ? stream.phrase(notification) : JSON.stringify(notification);
    if (text !== undefined) this.#send(stream, text);
  }

  /** A client that does not read loses its stream, not the gateway its memory. */
  #send(stream: Stream, json?: string): void {
    if (!stream.writer.keepsUp) {
      stream.writer.destroy();
      // One that its client can come back to goes on without it.
      if (stream.writer.attached) return this.remove(stream);
    }
    if (json === undefined) stream.writer.comment('keep-alive');
    else stream.writer.event(json);
  }
}
