/** Writes what happened: to the outbox at once, to git when it can. */
import { setTimeout as delay } from 'node:timers/promises';
import { existsSync } from 'node:fs';
import { toSlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import type { Plan } from '../../schemas/plan.ts';
import type { Status } from '../../schemas/status.ts';
import { coalesce } from '../async.ts';
import { AUDIT_BRANCH, Branch } from './branch.ts';
import { outbox, type Entry, type NewEntry } from './outbox.ts';
import { subjectOf, type AuditRecord } from './record.ts';

export interface Recorder extends AsyncDisposable {
  write(record: AuditRecord, plan: Plan | undefined): void;
  /** Takes a file that is to be committed as it is. It has to stay until it is no longer {@link waiting}. @throws SlipwayError state-unwritable */
  hand(file: Omit<Entry, 'id' | 'content'> & { readonly file: string }): Promise<void>;
  /** Takes a commit as it is. @throws SlipwayError state-unwritable */
  commit(entry: NewEntry): void;
  /** Files that were handed over and are not delivered. */
  waiting(): ReadonlySet<string>;
  /** Where to, from now on. */
  useBranch(name: string): void;
  /** Resolves when what was pending has reached the remote, or could not. Never rejects. */
  flush(): Promise<void>;
  state(): Status['outbox'];
}

export interface RecorderOptions {
  readonly outbox: string;
  /** A bare repository of our own to build commits in. */
  readonly repository: string;
  /** Absent: records stay in `repository`. */
  readonly remote: string | undefined;
  readonly log: Log;
  readonly retryMs?: number;
  /** Default: {@link AUDIT_BRANCH}. */
  readonly branch?: string;
  /** What waits, for people. Default: audit records. */
  readonly what?: string;
}

const RETRY_MS = 60_000;
/** Entries that are pushed together: after weeks without the remote there may be more than memory holds. */
const AT_ONCE = 16;
/** A remote that does not answer must not hold up the end: what it did not take is delivered by the next run. */
const LAST_FLUSH_MS = 5000;

export function gitRecorder(options: RecorderOptions): Recorder {
  const box = outbox(options.outbox);
  const stop = new AbortController();
  const remote = options.remote ?? options.repository;
  const branchOf = (name: string): Branch => new Branch({ mirror: options.repository, remote, branch: name });
  let name = options.branch ?? AUDIT_BRANCH;
  let branch = branchOf(name);
  let timer: NodeJS.Timeout | undefined;
  let lastError: string | undefined;
  let lastCommit: string | undefined;

  const flush = coalesce(async () => {
    clearTimeout(timer);
    const entries = box.pending().filter(isThere);
    if (entries.length === 0 || stop.signal.aborted) return;
    try {
      for (let at = 0; at < entries.length; at += AT_ONCE) {
        const some = entries.slice(at, at + AT_ONCE);
        lastCommit = await branch.append(some, stop.signal);
        for (const entry of some) box.remove(entry.id);
      }
      lastError = undefined;
    } catch (error) {
      if (stop.signal.aborted) return;
      lastError = toSlipwayError(error).message;
      options.log('warn', `${options.what ?? 'audit records'} wait for the remote`, {
        pending: entries.length,
        error: lastError,
      });
      timer = setTimeout(() => void flush(), options.retryMs ?? RETRY_MS);
      timer.unref();
    }
  });

  /** A file that somebody removed must not hold up all others; `slipway audit verify` finds that it is missing. */
  function isThere({ id, file }: Entry): boolean {
    if (file === undefined || existsSync(file)) return true;
    options.log('error', 'a file that was to be committed is gone', { file });
    box.remove(id);
    return false;
  }

  // What the last run could not deliver.
  if (box.count() > 0) setImmediate(() => void flush());

  return {
    write(record, plan) {
      const trailers = [
        `Slipway-Commit: ${record.commit.id}`,
        ...(record.planDigest === undefined ? [] : [`Slipway-Plan: ${record.planDigest}`]),
      ];
      box.add({ at: record.at, subject: subjectOf(record, plan), trailers, content: JSON.stringify(record, null, 2) });
      void flush();
    },
    commit(entry) {
      box.add(entry);
      void flush();
    },
    async hand(file) {
      await box.addSoon({ ...file, content: '' });
      void flush();
    },
    waiting: () => new Set(box.pending().flatMap(({ file }) => file ?? [])),
    useBranch(wanted) {
      if (wanted !== name) branch = branchOf((name = wanted));
    },
    flush,
    state: () => ({
      pending: box.count(),
      ...(lastError === undefined ? {} : { lastError }),
      ...(lastCommit === undefined ? {} : { lastCommit }),
    }),
    async [Symbol.asyncDispose]() {
      clearTimeout(timer);
      const last = flush();
      await Promise.race([last, delay(LAST_FLUSH_MS, undefined, { ref: false })]);
      stop.abort();
      await last;
    },
  };
}

/** For `--no-record`. */
export const noRecorder: Recorder = {
  write() {},
  commit() {},
  async hand() {},
  waiting: () => new Set(),
  useBranch() {},
  flush: async () => {},
  state: () => ({ pending: 0 }),
  async [Symbol.asyncDispose]() {},
};
