/**
 * The index behind queries: SQLite in a file that holds nothing of its own. It is caught up when somebody asks, and made
 * anew when it is missing, broken, or of another log.
 */
import { readFileSync, rmSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { nameHash, type AuditEvent } from './line.ts';
import type { AuditQuery } from './query.ts';
import { linesOf, segmentsIn } from './segments.ts';

export interface SessionRow {
  readonly sessionId: string;
  readonly principal: string | null;
  readonly project: string | null;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly events: number;
  readonly denied: number;
}

/** Rows that are added before others get their turn. */
const TURN = 200;
const FORMAT = '1';

const SCHEMA = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at INTEGER, principal TEXT, tool TEXT, server TEXT, project TEXT, kind TEXT, outcome TEXT,
    session TEXT, request TEXT, commit_id TEXT, line TEXT
  );
  CREATE INDEX by_principal ON events (principal, seq);
  CREATE INDEX by_tool ON events (tool, seq);
  CREATE INDEX by_server ON events (server, seq);
  CREATE INDEX by_outcome ON events (outcome, seq);
  CREATE INDEX by_request ON events (request);
  CREATE INDEX by_commit ON events (commit_id, seq);
  CREATE INDEX by_time ON events (at);
  CREATE TABLE sessions (
    session TEXT PRIMARY KEY, principal TEXT, project TEXT, first INTEGER, last INTEGER, events INTEGER, denied INTEGER
  );
  CREATE INDEX by_last ON sessions (last);
`;

const ADD = `INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
const SEEN = `
  INSERT INTO sessions VALUES (?, ?, ?, ?, ?, 1, ?)
  ON CONFLICT (session) DO UPDATE SET
    first = min(first, excluded.first), last = max(last, excluded.last), events = events + 1,
    denied = denied + excluded.denied`;

export class EventsDb implements Disposable {
  readonly #db: DatabaseSync;
  readonly #add: StatementSync;
  readonly #seen: StatementSync;

  /** @throws when the file is broken */
  private constructor(file: string, chain: string) {
    this.#db = new DatabaseSync(file);
    try {
      if (this.#db.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'meta'`).get() === undefined) {
        this.#db.exec(SCHEMA);
        this.#db.prepare(`INSERT INTO meta VALUES ('of', ?)`).run(`${FORMAT} ${chain}`);
      }
      const of = this.#db.prepare(`SELECT value FROM meta WHERE key = 'of'`).get()?.['value'];
      if (of !== `${FORMAT} ${chain}`) throw new Error('it is the index of another log');
      this.#add = this.#db.prepare(ADD);
      this.#seen = this.#db.prepare(SEEN);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  static open(file: string, chain: string): EventsDb {
    try {
      return new EventsDb(file, chain);
    } catch {
      for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
      return new EventsDb(file, chain);
    }
  }

  /** The number of the first and of the last event in it. */
  range(): { first: number; last: number } {
    const { first, last } = this.#db.prepare('SELECT min(seq) AS first, max(seq) AS last FROM events').get() ?? {};
    return { first: Number(first ?? 0), last: Number(last ?? 0) };
  }

  /** Whether it has what was in git only when it was made. */
  get hasOlder(): boolean {
    return this.#db.prepare(`SELECT 1 FROM meta WHERE key = 'older'`).get() !== undefined;
  }

  setHasOlder(): void {
    this.#db.exec(`INSERT OR IGNORE INTO meta VALUES ('older', '1')`);
  }

  /** Adds lines, in order, that it does not hold. */
  async add(lines: readonly string[]): Promise<void> {
    for (let at = 0; at < lines.length; at += TURN) {
      this.#db.exec('BEGIN');
      for (const line of lines.slice(at, at + TURN)) this.#addOne(line);
      this.#db.exec('COMMIT');
      await nextTurn();
    }
  }

  /** Adds what has come to the files of the log since. */
  async catchUp(dir: string): Promise<void> {
    const { last } = this.range();
    const files = segmentsIn(dir);
    const from = files.findLastIndex(({ first }) => first <= last + 1);
    for (const { file, first } of files.slice(Math.max(from, 0)))
      await this.add(linesOf(readFileSync(file, 'utf8')).slice(Math.max(0, last + 1 - first)));
  }

  /** Newest first. */
  events(query: AuditQuery): AuditEvent[] {
    const where = conditions(query).and('seq >= ?', this.#beginOf(query.sinceCommit));
    return this.#db
      .prepare(`SELECT line FROM events WHERE ${where} ORDER BY seq DESC LIMIT ?`)
      .all(...where.values, query.limit)
      .map(({ line }) => JSON.parse(String(line)) as AuditEvent);
  }

  /** Those seen last first. */
  sessions({ principal, project, since, until, limit }: AuditQuery): SessionRow[] {
    const where = new Where().and('principal = ?', principal).and('project = ?', project);
    where.and('last >= ?', since).and('first <= ?', until);
    return this.#db
      .prepare(`SELECT * FROM sessions WHERE ${where} ORDER BY last DESC LIMIT ?`)
      .all(...where.values, limit)
      .map((row) => ({
        sessionId: String(row['session']),
        principal: row['principal'] as string | null,
        project: row['project'] as string | null,
        firstSeen: new Date(Number(row['first'])).toISOString(),
        lastSeen: new Date(Number(row['last'])).toISOString(),
        events: Number(row['events']),
        denied: Number(row['denied']),
      }));
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  /** The first event under a commit; beyond all if there is none. */
  #beginOf(commit: string | undefined): number | undefined {
    if (commit === undefined) return undefined;
    const first = this.#db.prepare('SELECT min(seq) AS seq FROM events WHERE commit_id GLOB ?').get(`${commit}*`)?.[
      'seq'
    ];
    return Number(first ?? Number.MAX_SAFE_INTEGER);
  }

  #addOne(line: string): void {
    const event = readEvent(line);
    if (!event) return; // `verify` says what is wrong with it.
    const { seq, ts, principal = null, tool, server = null, project = null, kind, outcome, sessionId = null } = event;
    const at = Date.parse(ts);
    const { requestId, commit = null } = event;
    const { changes } = this.#add.run(
      seq,
      at,
      principal,
      tool,
      server,
      project,
      kind,
      outcome,
      sessionId,
      requestId,
      commit,
      line,
    );
    if (changes === 0 || sessionId === null) return;
    this.#seen.run(sessionId, principal, project, at, at, event.allowed ? 0 : 1);
  }
}

function readEvent(line: string): AuditEvent | undefined {
  try {
    const event = JSON.parse(line) as AuditEvent;
    return Number.isInteger(event.seq) && typeof event.ts === 'string' ? event : undefined;
  } catch {
    return undefined;
  }
}

/** What rows must be like, with the values beside it. */
class Where {
  readonly values: SQLInputValue[] = [];
  readonly #parts: string[] = [];

  /** @param part with a `?` for each of the values; left out if one of them is not given */
  and(part: string, ...values: readonly (SQLInputValue | undefined)[]): this {
    if (values.includes(undefined)) return this;
    this.#parts.push(part);
    this.values.push(...(values as SQLInputValue[]));
    return this;
  }

  toString(): string {
    return this.#parts.join(' AND ') || '1';
  }
}

const COLUMNS = ['principal', 'server', 'project', 'kind', 'outcome', 'session', 'request'] as const;

function conditions(query: AuditQuery): Where {
  const where = new Where();
  for (const column of COLUMNS) where.and(`${column} = ?`, query[column]);
  // Where names are kept as hashes only, whoever knows one finds it.
  const { tool } = query;
  where.and('tool IN (?, ?)', tool, tool === undefined ? undefined : nameHash(tool));
  return where.and('at >= ?', query.since).and('at <= ?', query.until).and('seq < ?', query.before);
}
