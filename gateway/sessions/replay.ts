/**
 * Event streams that outlive their connection (MCP 2025-03-26 … 2025-11-25, "Resumability and Redelivery"): each event has
 * an id, and a client that lost the connection asks for what came after the last one that it saw.
 */
import type { HttpResponse } from '../http/message.ts';
import type { Id } from '../../schemas/jsonrpc.ts';
import { SseWriter, type EventWriter } from '../rpc/sse-writer.ts';
import { eventName, streamName, type Place } from './event-names.ts';

/** How long a stream waits for its client, and how long the end of one is kept for a client that missed it (ms). */
const WAIT = 30_000;
/** When a client should come back (ms). */
const RETRY = 1_000;
/** Bounds on what is kept: events of one stream, streams and bytes of one session, bytes in all. */
const MAX_EVENTS = 1_000;
const MAX_STREAMS = 64;
const MAX_SESSION_BYTES = 4 * 1024 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;

interface Kept {
  readonly number: number;
  readonly json: string;
}

/** One answer, or what a session is told unasked: written to whatever connection its client has just now. */
export class ResumableStream implements EventWriter {
  readonly id: string;
  readonly sessionId: string;
  readonly #replays: Replays;
  readonly #kept: Kept[] = [];
  #writer: SseWriter | undefined;
  #count = 0;
  #bytes = 0;
  #ended = false;
  /** Whether its client was there until the end: it has most likely read it. */
  #delivered = false;
  /** Whether its client may still come back. */
  #lasts = true;
  #gone = false;
  #timer: NodeJS.Timeout | undefined;
  #onAbandoned: (() => void) | undefined;

  constructor(replays: Replays, id: string, sessionId: string) {
    this.#replays = replays;
    this.id = id;
    this.sessionId = sessionId;
  }

  get attached(): boolean {
    return this.#writer !== undefined;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get delivered(): boolean {
    return this.#delivered;
  }

  /** Whether the end of it, which comes after this event, is not kept any more. */
  lost(after: number): boolean {
    return this.#ended && this.#count > after && this.#kept.at(-1)?.number !== this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get keepsUp(): boolean {
    return this.#writer?.keepsUp ?? true;
  }

  get overflows(): boolean {
    return this.#writer?.overflows ?? false;
  }

  /** Called once, when nobody has come back in time, or the session has ended. */
  onAbandoned(listener: (() => void) | undefined): void {
    this.#onAbandoned = listener;
    if (this.#gone) this.#tell();
  }

  /** @param prime whether the client can take an event that holds nothing but its id (since 2025-11-25) */
  attach(response: HttpResponse, { after = Infinity, prime = false } = {}): void {
    clearTimeout(this.#timer);
    this.#writer?.destroy();
    const writer = new SseWriter(response);
    this.#writer = writer;
    if (prime) writer.prime(this.#name(this.#count), RETRY);
    for (const { number, json } of this.#kept) if (number > after) writer.event(json, this.#name(number));
    if (this.#ended) return this.#close();
    response.once('close', () => this.#lost(writer));
  }

  event(json: string): void {
    const number = ++this.#count;
    this.#keep({ number, json });
    this.#writer?.event(json, this.#name(number));
  }

  comment(text: string): void {
    this.#writer?.comment(text);
  }

  /** What was said stays for a client that missed the end of it. */
  end(): void {
    this.#ended = true;
    this.#close();
  }

  /** Cuts the connection; what is said from now on waits for the client to come back. */
  destroy(): void {
    const writer = this.#writer;
    this.#writer = undefined;
    writer?.destroy();
    this.#wait();
  }

  /** Its session has ended: who is still there gets the rest, but nobody may come back. */
  leave(): void {
    this.#lasts = false;
    if (!this.#writer) this.abandon();
  }

  /** Nobody is waited for any more. */
  abandon(): void {
    clearTimeout(this.#timer);
    if (!this.#gone) this.#replays.forget(this);
    this.#gone = true;
    this.#kept.length = 0;
    this.#tell();
  }

  /** Gives back what is kept. @returns the bytes */
  dropOldest(): number {
    const size = this.#kept.shift()?.json.length ?? 0;
    this.#bytes -= size;
    return size;
  }

  #close(): void {
    this.#delivered ||= this.#writer !== undefined;
    this.#writer?.end();
    this.#writer = undefined;
    this.#wait();
  }

  #lost(writer: SseWriter): void {
    if (this.#writer !== writer) return;
    this.#writer = undefined;
    this.#wait();
  }

  #tell(): void {
    const listener = this.#onAbandoned;
    this.#onAbandoned = undefined;
    listener?.();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (!this.#lasts) return this.abandon();
    this.#timer = setTimeout(() => this.abandon(), WAIT).unref();
  }

  #keep(event: Kept): void {
    // What is larger than all that is kept would only push out the rest.
    if (this.#gone || event.json.length > MAX_SESSION_BYTES) return;
    this.#kept.push(event);
    this.#bytes += event.json.length;
    this.#replays.grown(this, event.json.length);
    if (this.#kept.length > MAX_EVENTS) this.#replays.shrink(this);
  }

  #name(number: number): string {
    return eventName(this.id, number);
  }
}

interface Held {
  readonly streams: Map<string, ResumableStream>;
  bytes: number;
}

/** All streams that somebody may come back to. */
export class Replays {
  /** By session: only the one that a stream belongs to is ever looked into. */
  readonly #sessions = new Map<string, Held>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** The sessions of which something is kept. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The streams of a session. */
  count(sessionId: string): number {
    return this.#sessions.get(sessionId)?.streams.size ?? 0;
  }

  /** @param about the requests that it is to answer; absent for what is said unasked */
  open(sessionId: string, about?: readonly Id[]): ResumableStream {
    const stream = new ResumableStream(this, streamName(about), sessionId);
    const held = this.#sessions.get(sessionId) ?? { streams: new Map<string, ResumableStream>(), bytes: 0 };
    // A client that makes many calls must not leave behind as many streams that it has read to their end.
    const all = [...held.streams.values()];
    if (all.length >= MAX_STREAMS)
      (all.find(({ delivered }) => delivered) ?? all.find(({ ended }) => ended))?.abandon();
    this.#sessions.set(sessionId, held);
    held.streams.set(stream.id, stream);
    return stream;
  }

  /** @returns the stream of the same session that the event was on, and the event's number */
  find(sessionId: string, { stream: name, number }: Place): { stream: ResumableStream; after: number } | undefined {
    const stream = this.#sessions.get(sessionId)?.streams.get(name);
    return stream && { stream, after: number };
  }

  end(sessionId: string): void {
    for (const stream of this.#sessions.get(sessionId)?.streams.values() ?? []) stream.leave();
  }

  close(): void {
    for (const sessionId of this.#sessions.keys()) this.end(sessionId);
  }

  /** @internal */
  forget(stream: ResumableStream): void {
    const held = this.#sessions.get(stream.sessionId);
    if (!held?.streams.delete(stream.id)) return;
    held.bytes -= stream.bytes;
    this.#bytes -= stream.bytes;
    if (held.streams.size === 0) this.#sessions.delete(stream.sessionId);
  }

  /**
   * @internal Memory exhaustion: what was read goes first, then the oldest events; of the session, then of whichever came first. Who
   * comes back for what is gone is told so.
   */
  grown({ sessionId }: ResumableStream, bytes: number): void {
    const own = this.#sessions.get(sessionId);
    if (!own) return;
    own.bytes += bytes;
    this.#bytes += bytes;
    if (own.bytes > MAX_SESSION_BYTES) this.#thin(own, () => own.bytes > MAX_SESSION_BYTES);
    if (this.#bytes <= MAX_BYTES) return;
    for (const held of this.#sessions.values()) this.#thin(held, () => this.#bytes > MAX_BYTES);
  }

  /** @internal Forgets a stream's oldest event. */
  shrink(stream: ResumableStream): void {
    const size = stream.dropOldest();
    const held = this.#sessions.get(stream.sessionId);
    if (held) held.bytes -= size;
    this.#bytes -= size;
  }

  #thin({ streams }: Held, tooMuch: () => boolean): void {
    for (const delivered of [true, false])
      for (const stream of streams.values())
        while (stream.delivered === delivered && stream.bytes > 0 && tooMuch()) this.shrink(stream);
  }
}
