/** Reads a log: from its index, which it keeps up to date. */
import { join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import { coalesce } from '../../async.ts';
import { unwritable } from '../../state.ts';
import { localRef } from '../branch.ts';
import { contentsOn } from './branch-log.ts';
import type { EventsDb, SessionRow } from './events-db.ts';
import type { AuditEvent } from './line.ts';
import type { AuditQuery } from './query.ts';
import { anchorOf, linesOf, segmentsIn } from './segments.ts';

export interface AuditReaderOptions {
  readonly dir: string;
  /** Where commits are built: what is no longer in `dir` is read from there. */
  readonly repository: string;
  readonly branch: () => string;
  /** Called before each question, so that the newest events are there to be found. */
  readonly flush?: () => Promise<void>;
}

export class AuditReader implements Disposable {
  readonly #options: AuditReaderOptions;
  readonly #stop = new AbortController();
  #db: EventsDb | undefined;

  constructor(options: AuditReaderOptions) {
    this.#options = options;
  }

  /** Newest first. @throws SlipwayError not-found where no log was ever kept, state-unwritable where the index cannot be */
  async events(query: AuditQuery): Promise<AuditEvent[]> {
    return (await this.#ready()).events(query);
  }

  async sessions(query: AuditQuery): Promise<SessionRow[]> {
    return (await this.#ready()).sessions(query);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#db?.[Symbol.dispose]();
    this.#db = undefined;
  }

  readonly #ready = coalesce(async (): Promise<EventsDb> => {
    const { dir, flush } = this.#options;
    await flush?.();
    const chain = anchorOf(dir)?.chain;
    if (chain === undefined) throw new SlipwayError('not-found', 'There is no audit log.');
    const index = join(dir, 'index.db');
    try {
      const db = (this.#db ??= await openIndex(index, chain));
      if (!db.hasOlder) await this.#older(db, chain);
      await db.catchUp(dir);
      return db;
    } catch (error) {
      // It is in the middle of something: the next who asks opens it anew, and by then there may be room.
      this.#db?.[Symbol.dispose]();
      this.#db = undefined;
      throw isOfIndex(error) ? unwritable(index, error) : error;
    }
  });

  /** A new index begins with what is in git only. What cannot be had now is left out until the next who asks. */
  async #older(db: EventsDb, chain: string): Promise<void> {
    const { dir, repository, branch } = this.#options;
    const here = segmentsIn(dir)[0]?.first ?? Infinity;
    try {
      if (here > 1)
        for await (const { text, first } of contentsOn(repository, localRef(branch()), chain, this.#stop.signal))
          if (first < here) await db.add(linesOf(text));
      db.setHasOlder();
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      if (isOfIndex(error)) throw error;
    }
  }
}

const isOfIndex = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';

/** SQLite is loaded by whoever asks first. */
async function openIndex(file: string, chain: string): Promise<EventsDb> {
  const { EventsDb: Index } = await import('./events-db.ts');
  return Index.open(file, chain);
}
