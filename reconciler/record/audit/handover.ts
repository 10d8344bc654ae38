/** Full files on their way to git: when, under which name, and when they may go from here. */
import { rmSync, statSync } from 'node:fs';
import type { AuditSettings } from '../../../schemas/audit.ts';
import type { Log } from '../../../schemas/log.ts';
import type { Recorder } from '../recorder.ts';
import { follow, type Head } from './line.ts';
import { follow as followSchedule } from '../../schedule.ts';
import { lineAt, type Segment, type Segments } from './segments.ts';

/** Where the files of one chain are on the branch, by day. */
export const branchPath = (chain: string, day: string, first: number): string =>
  `events/${chain}/${day.replaceAll('-', '/')}/${String(first).padStart(12, '0')}.jsonl`;

/** Files that may go from here, and where the chain stands after them. */
export interface Old {
  readonly head: Head;
  readonly files: readonly string[];
}

export class Handover implements Disposable {
  readonly #segments: Segments;
  readonly #recorder: Pick<Recorder, 'hand' | 'waiting' | 'useBranch'>;
  readonly #log: Log;
  readonly #due: () => void;
  #settings: AuditSettings | undefined;
  #schedule: Disposable | undefined;

  /** @param due called when the schedule says so */
  constructor(
    segments: Segments,
    recorder: Pick<Recorder, 'hand' | 'waiting' | 'useBranch'>,
    log: Log,
    due: () => void,
  ) {
    this.#segments = segments;
    this.#recorder = recorder;
    this.#log = log;
    this.#due = due;
  }

  configure(settings: AuditSettings): void {
    const before = this.#settings?.schedule;
    this.#settings = settings;
    this.#recorder.useBranch(settings.branch);
    if (settings.schedule === before) return;
    this.#schedule?.[Symbol.dispose]();
    this.#schedule = followSchedule(settings.schedule, this.#due);
  }

  /** Takes a file that is full. It is in the outbox by name only: its lines are on disk once. */
  async take({ file, first, last }: Segment): Promise<void> {
    const { chain } = this.#segments;
    const head = follow(lineAt(file, 'last'), undefined);
    // Where lines are gone it ends sooner than the next one begins.
    const [end, hash] = typeof head === 'string' ? [last, 'unreadable'] : [head.seq, head.hash];
    const at = new Date().toISOString();
    const count = end - first + 1;
    await this.#recorder.hand({
      at,
      subject: `audit: ${count} event${count === 1 ? '' : 's'} (${first}–${end})`,
      trailers: [`Slipway-Audit-Chain: ${chain}`, `Slipway-Audit-Head: ${end} ${hash}`],
      path: branchPath(chain, dayOf(file) ?? at.slice(0, 10), first),
      file,
    });
    await this.#segments.handed(last);
  }

  /** Takes what is full, and what the last run could not hand over any more. @throws SlipwayError state-unwritable */
  async left(): Promise<void> {
    const { through } = this.#segments;
    const left = this.#segments.closed().filter(({ first }) => first > through);
    if (left.length === 0) return;
    const waiting = this.#recorder.waiting();
    for (const segment of left) {
      // A crash came after it was handed over, and before that was noted.
      if (waiting.has(segment.file)) await this.#segments.handed(segment.last);
      else await this.take(segment);
    }
  }

  /** What is old and out of the house. */
  old(): Old | undefined {
    const { keepMs } = this.#settings ?? {};
    if (keepMs === undefined) return undefined;
    const { through } = this.#segments;
    const waiting = this.#recorder.waiting();
    const isNeeded = ({ file, last }: Segment): boolean =>
      last > through || waiting.has(file) || Date.now() - statSync(file).mtimeMs <= keepMs;
    const closed = this.#segments.closed();
    // Only from the front: what is left must be one chain.
    const kept = closed.findIndex(isNeeded);
    const old = kept < 0 ? closed : closed.slice(0, kept);
    const newest = old.at(-1);
    const head = newest && follow(lineAt(newest.file, 'last'), undefined);
    if (head === undefined || typeof head === 'string') return undefined;
    return { head, files: old.map(({ file }) => file) };
  }

  /** To be called when the log says so: a crash in between must not look like lines that somebody took away. */
  remove({ files }: Old): void {
    for (const file of files) for (const each of [file, `${file}.cut`]) rmSync(each, { force: true });
    this.#log('debug', 'old audit files removed', { files: files.length });
  }

  [Symbol.dispose](): void {
    this.#schedule?.[Symbol.dispose]();
  }
}

/** The day of its first line. */
function dayOf(file: string): string | undefined {
  return /^\{"ts":"(\d{4}-\d\d-\d\d)T/.exec(lineAt(file, 'first'))?.[1];
}
