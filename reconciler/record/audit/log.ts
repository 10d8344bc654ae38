/** The audit log: makes lines of events at once, writes them when there is time, and hands whole files over to git. */
import type { AuditDraft, AuditKeeper, AuditSettings, AuditState } from '../../../schemas/audit.ts';
import { auditLog } from '../../../schemas/kinds/fields/audit.ts';
import type { Log } from '../../../schemas/log.ts';
import { coalesce } from '../../async.ts';
import { auditSettings } from '../../kinds/gateway.ts';
import { unwritable } from '../../state.ts';
import type { Recorder } from '../recorder.ts';
import { hashArguments, hashLarge } from './arguments.ts';
import { BATCH, Batches } from './batches.ts';
import { Flood } from './flood.ts';
import { Handover } from './handover.ts';
import { aboutItself } from './line.ts';
import { Segments } from './segments.ts';

/**
 * How long lines are gathered before they are written (ms). A crash loses no more than these and what waits to be hashed; and a hundred
 * at a time cost half of what they cost one by one.
 */
const GATHER = 250;
/** Events that wait to be written, whether the disk is slow or full. */
const MAX_WAITING = 20_000;
/** Arguments from here on are hashed later, in slices, with others' turns between (bytes of the body). */
const LARGE = 128 * 1024;
/** What may wait to be hashed before it is begun with at once (bytes of bodies). */
const MAX_BODIES = 8 * 1024 * 1024;
/** What may wait in all, whether turns are rare or the disk is full (bytes of bodies). */
const MOST_BODIES = 8 * MAX_BODIES;
/** How long until a disk that failed is tried again (ms). */
const RETRY = 1000;

const DEFAULTS = auditSettings(auditLog.parse({}));

export interface AuditLogOptions {
  /** Below the state directory. */
  readonly dir: string;
  /** Absent: the defaults. */
  readonly settings?: AuditSettings;
  /** Takes the files that are full. */
  readonly recorder: Pick<Recorder, 'hand' | 'waiting' | 'useBranch'>;
  readonly log: Log;
  /** Called when it begins or ceases to be in trouble. */
  readonly onState?: () => void;
}

export class AuditLog implements AuditKeeper, AsyncDisposable {
  readonly #segments: Segments;
  readonly #handover: Handover;
  readonly #log: Log;
  readonly #onState: () => void;
  readonly #flood = new Flood((summary) => this.#take(summary));
  readonly #followers = new Set<(lines: string) => void>();
  #settings: AuditSettings;
  /** What waits to be hashed. Its lines come after those of what happened meanwhile. */
  readonly #large: AuditDraft[] = [];
  /** Of their bodies, in bytes. */
  #bodies = 0;
  /** Lines that are not written yet. */
  readonly #lines: Batches;
  #dropped = 0;
  /** Those among them that the log does not tell of yet. */
  #untold = 0;
  #failure: string | undefined;
  #gathering: NodeJS.Timeout | undefined;
  #syncing: NodeJS.Timeout | undefined;
  #wantsSync = false;
  #wantsRotation = false;
  #closed = false;

  /** @throws SlipwayError state-unwritable */
  constructor({ dir, settings = DEFAULTS, recorder, log, onState = () => {} }: AuditLogOptions) {
    this.#settings = settings;
    this.#log = log;
    this.#onState = onState;
    this.#segments = opened(dir, recorder);
    this.#lines = new Batches(this.#segments.head);
    this.#handover = new Handover(this.#segments, recorder, log, () => void this.rotate());
    const { chain, cut } = this.#segments;
    if (this.#lines.head.seq === 0) this.#note('chain.begun', { chain });
    if (cut) {
      if (cut.lost > 0) log('error', 'lines of the audit log are gone that were on disk', { ...cut });
      else log('warn', 'the audit log was cut short by a crash', { ...cut });
      this.#note('gap', { bytes: cut.bytes, lost: cut.lost });
    }
    if (this.#waiting > 0 || this.#segments.unhanded) this.#soon();
    this.#handover.configure(settings);
  }

  get blocked(): boolean {
    if (this.#settings.onFailure !== 'stop') return false;
    return this.#failure !== undefined || this.#waiting >= MAX_WAITING;
  }

  record(draft: AuditDraft): void {
    if (!draft.allowed) {
      if (!this.#flood.passes(draft)) return;
    } else if (draft.level === 'off') return;
    this.#take(draft);
  }

  /** New settings are in force at once. */
  configure(settings: AuditSettings = DEFAULTS): void {
    this.#settings = settings;
    this.#handover.configure(settings);
  }

  /** Where files are committed. */
  get branch(): string {
    return this.#settings.branch;
  }

  state(): AuditState {
    const { seq, hash } = this.#segments.head;
    return {
      events: seq,
      head: hash,
      waiting: this.#waiting,
      dropped: this.#dropped,
      ...(this.#failure === undefined ? {} : { lastError: this.#failure }),
    };
  }

  /** Resolves when everything so far is on disk, or cannot be written. */
  flush(): Promise<void> {
    this.#wantsSync = true;
    return this.#drain();
  }

  /** Ends the file that is written to and hands it over. */
  rotate(): Promise<void> {
    this.#wantsRotation = true;
    return this.#drain();
  }

  /** New lines as they are written. @param listener gets one or more, each with its newline. @returns stops it */
  follow(listener: (lines: string) => void): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#handover[Symbol.dispose]();
    this.#flood[Symbol.dispose]();
    await this.rotate();
    if (this.#waiting > 0)
      this.#log('error', 'audit events are lost: they cannot be written', { events: this.#waiting });
    clearTimeout(this.#gathering);
    clearTimeout(this.#syncing);
    await this.#segments[Symbol.asyncDispose]().catch((error: unknown) => this.#failed(error));
  }

  get #waiting(): number {
    return this.#large.length + this.#lines.count;
  }

  /** An event is a line at once: objects that wait cost the collector more than the lines that they become. */
  #take(draft: AuditDraft): void {
    if (this.#waiting >= MAX_WAITING) return this.#drop();
    const { bodyBytes = 0 } = draft;
    // Memory exhaustion: bodies may come faster than they are hashed in turns. From here on who sends one waits for it.
    if (bodyBytes <= LARGE || this.#bodies + bodyBytes > MOST_BODIES)
      this.#lines.add(draft, hashArguments(draft.arguments));
    else {
      this.#large.push(draft);
      this.#bodies += bodyBytes;
    }
    if (this.#gathering === undefined) this.#soon();
    // A disk that failed is tried again when it is time.
    else if (this.#failure === undefined && (this.#lines.count >= BATCH || this.#bodies > MAX_BODIES))
      void this.#drain();
  }

  #soon(): void {
    const { fsyncMs } = this.#settings;
    this.#gathering ??= setTimeout(() => void this.#drain(), Math.min(GATHER, fsyncMs)).unref();
    this.#syncing ??= setTimeout(() => {
      this.#syncing = undefined;
      void this.flush();
    }, fsyncMs).unref();
  }

  /** Never rejects: what cannot be written stays, and is tried again. */
  readonly #drain = coalesce(async () => {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    // Who wants something from now on wants it of what comes from now on.
    const [sync, rotate] = [this.#wantsSync, this.#wantsRotation];
    this.#wantsSync = this.#wantsRotation = false;
    let large = this.#large.length;
    try {
      await this.#write();
      // One by one: others' lines do not wait for all of them.
      for (; large > 0; large--) {
        await this.#hashNext();
        await this.#write();
      }
      if (rotate || this.#isFull) await this.#segments.rotate();
      else if (sync) await this.#segments.sync();
      if (this.#segments.unhanded) await this.#handOver();
      if (this.#failure !== undefined) this.#recovered();
    } catch (error) {
      this.#wantsRotation ||= rotate;
      this.#failed(error);
      // As lines they take less room.
      for (; large > 0 && this.#large.length > 0; large--) await this.#hashNext();
    }
  });

  /** It waits until it is a line, so that it is counted. */
  async #hashNext(): Promise<void> {
    const [draft] = this.#large;
    if (!draft) return;
    const hashes = await hashLarge(draft.arguments);
    this.#large.shift();
    this.#bodies -= draft.bodyBytes ?? 0;
    this.#lines.add(draft, hashes);
  }

  /** What there is now; and of what did not fit, how much that was. @throws as `node:fs` does; the lines stay then */
  async #write(): Promise<void> {
    for (let left = this.#lines.count; left > 0;) left -= await this.#writeFirst();
    if (this.#untold === 0) return;
    this.#note('dropped', { count: this.#untold });
    this.#untold = 0;
    await this.#write();
  }

  /** @returns how many lines */
  async #writeFirst(): Promise<number> {
    const { first } = this.#lines;
    if (!first?.head) return 0;
    const { bytes, count, head } = first;
    await this.#segments.append(bytes, head);
    if (this.#followers.size > 0) {
      const text = bytes.toString('utf8');
      for (const listener of this.#followers) listener(text);
    }
    this.#lines.written();
    if (this.#isFull) await this.#segments.rotate();
    return count;
  }

  get #isFull(): boolean {
    const { events, size } = this.#segments;
    return events >= this.#settings.maxEvents || size >= this.#settings.maxBytes;
  }

  /** @throws as `node:fs` does, SlipwayError state-unwritable */
  async #handOver(): Promise<void> {
    await this.#handover.left();
    const old = this.#closed ? undefined : this.#handover.old();
    if (!old) return;
    const { seq, hash } = old.head;
    this.#note('pruned', { through: seq, hash });
    await this.#write();
    await this.#segments.sync();
    this.#handover.remove(old);
  }

  #drop(): void {
    this.#dropped++;
    if (this.#untold++ === 0) this.#log('error', 'audit events are left out: they cannot be written fast enough');
  }

  #failed(error: unknown): void {
    const message = (error as Error).message;
    if (this.#failure === undefined) {
      this.#log('error', 'the audit log cannot be written', { error: message, onFailure: this.#settings.onFailure });
      this.#failure = message;
      this.#onState();
    }
    if (this.#closed) return;
    this.#wantsSync = true;
    this.#gathering ??= setTimeout(() => void this.#drain(), RETRY).unref();
  }

  #recovered(): void {
    this.#failure = undefined;
    this.#log('info', 'the audit log is written again');
    this.#onState();
  }

  /** The log about itself. */
  #note(method: string, detail: Readonly<Record<string, unknown>>): void {
    this.#lines.add(aboutItself(method, detail), hashArguments(undefined));
  }
}

function opened(dir: string, recorder: Pick<Recorder, 'waiting'>): Segments {
  try {
    const waiting = recorder.waiting();
    return new Segments(dir, (file) => waiting.has(file));
  } catch (error) {
    throw unwritable(dir, error);
  }
}
