/**
 * One event as one line of JSON, and the chain that the lines make: each has a number, the hash of the line before it, and
 * last its own hash, which is the SHA-256 of the line up to there. A line that is altered, removed, added or moved
 * breaks the chain, unless every line after it is written anew.
 */
import { hash, randomUUID } from 'node:crypto';
import type { AuditDraft, AuditKind, AuditOutcome } from '../../../schemas/audit.ts';
import type { ArgumentHashes } from './arguments.ts';

/** An event as it is stored. The first eight keys are the team server's. */
export interface AuditEvent {
  readonly ts: string;
  readonly tokenId: string | null;
  readonly workspaceId: string | null;
  readonly tool: string | null;
  readonly method: string;
  readonly allowed: boolean;
  readonly deniedReason: string | null;
  readonly argumentsMd5: string;
  readonly argumentsSha256: string;
  readonly kind: AuditKind;
  readonly outcome: AuditOutcome;
  readonly source: AuditDraft['source'];
  /** Whether Slipway saw it itself. Claims of clients would be false here (mcpctl). */
  readonly verified: boolean;
  readonly requestId: string;
  readonly correlationId?: string;
  readonly parentId?: string;
  readonly principal?: string;
  readonly address?: string;
  readonly sessionId?: string;
  readonly project?: string;
  readonly server?: string;
  readonly durationMs?: number;
  readonly status?: number;
  readonly resultBytes?: number;
  readonly commit?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
}

/** Where a chain stands. */
export interface Head {
  /** Of the last line; 0 before the first. */
  readonly seq: number;
  readonly hash: string;
}

/** What the first line of a chain follows. */
export const genesis = (chain: string): Head => ({ seq: 0, hash: hash('sha256', `slipway audit ${chain}`) });

/** An event that the log tells of itself. @param method what happened to it */
export const aboutItself = (method: string, detail: Readonly<Record<string, unknown>>): AuditDraft => ({
  at: Date.now(),
  kind: 'audit',
  source: 'audit',
  outcome: 'ok',
  requestId: randomUUID(),
  method,
  allowed: true,
  detail,
});

/** Room for a few hundred lines (bytes). */
const PAGE = 256 * 1024;
const TAIL = ',"hash":"'.length + 64 + '"}'.length;

/** Enough of a hash to tell names apart, and to find one that is known. */
export const nameHash = (name: string): string => `sha256:${hash('sha256', name).slice(0, 32)}`;

/** A session's name, in a form that is worth nothing to who reads the log. */
const sessions = new Map<string, string>();
function sessionHash(session: string): string {
  const known = sessions.get(session);
  if (known !== undefined) return known;
  if (sessions.size >= 1000) sessions.clear();
  const fresh = hash('sha256', session).slice(0, 32);
  sessions.set(session, fresh);
  return fresh;
}

/**
 * Lines on their way to the disk, as bytes in one buffer: what is hashed is what is written, and no line is copied twice.
 */
export class Lines {
  #bytes = Buffer.allocUnsafeSlow(PAGE);
  #size = 0;
  #count = 0;
  #head: Head | undefined;

  get count(): number {
    return this.#count;
  }

  /** Where the chain stands after the last of them; `undefined` for none. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** All of them. Valid until the next is added. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Adds the line that follows `before`. @returns where the chain stands after it */
  add(draft: AuditDraft, { md5, sha256 }: ArgumentHashes, { seq, hash: prev }: Head): Head {
    const next = seq + 1;
    const open = `${bodyOf(draft, md5, sha256)},"seq":${next},"prev":"${prev}"`;
    this.#reserve(open.length * 3 + TAIL + 1);
    const start = this.#size;
    this.#size += this.#bytes.write(open, start, 'utf8');
    const own = hash('sha256', this.#bytes.subarray(start, this.#size));
    this.#size += this.#bytes.write(`,"hash":"${own}"}\n`, this.#size, 'latin1');
    this.#count++;
    return (this.#head = { seq: next, hash: own });
  }

  clear(): void {
    this.#size = this.#count = 0;
    this.#head = undefined;
    if (this.#bytes.length > PAGE) this.#bytes = Buffer.allocUnsafeSlow(PAGE);
  }

  #reserve(more: number): void {
    if (this.#size + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#size + more));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
  }
}

/** Written by hand: JSON.stringify on an object of this size costs three times as much. */
function bodyOf(draft: AuditDraft, md5: string, sha256: string): string {
  const { tool, principal, project, level, deniedReason, durationMs, status, resultBytes, detail, session } = draft;
  const named = tool !== undefined && level === 'hash' ? nameHash(tool) : tool;
  const token = principal?.startsWith('token:') ? principal.slice(6) : undefined;
  return (
    `{"ts":"${isoOf(draft.at)}","tokenId":${quoted(token)},"workspaceId":${quoted(project)},"tool":${quoted(named)}` +
    `,"method":${quoted(draft.method)},"allowed":${draft.allowed},"deniedReason":${quoted(deniedReason)}` +
    `,"argumentsMd5":"${md5}","argumentsSha256":"${sha256}","kind":"${draft.kind}","outcome":"${draft.outcome}"` +
    `,"source":"${draft.source}","verified":true,"requestId":"${draft.requestId}"` +
    optional('correlationId', draft.correlationId) +
    optional('parentId', draft.parentId) +
    optional('principal', principal) +
    optional('address', draft.address) +
    (session === undefined ? '' : `,"sessionId":"${sessionHash(session)}"`) +
    optional('project', project) +
    optional('server', draft.server) +
    (durationMs === undefined ? '' : `,"durationMs":${decimal(durationMs)}`) +
    (status === undefined ? '' : `,"status":${status}`) +
    (resultBytes === undefined ? '' : `,"resultBytes":${resultBytes}`) +
    optional('commit', draft.commit) +
    (detail === undefined ? '' : `,"detail":${JSON.stringify(detail, level === 'hash' ? unnamed : undefined)}`)
  );
}

/** Where the details of an event name a tool: which limit it was, and the pattern of a rule. */
const NAMES: ReadonlySet<string> = new Set(['name', 'pattern']);
const unnamed = (key: string, value: unknown): unknown =>
  NAMES.has(key) && typeof value === 'string' ? nameHash(value) : value;

/** The longest text of a client's that is kept; what is longer is cut, never the log. */
const LONGEST = 512;

function quoted(text: string | undefined): string {
  if (text === undefined) return 'null';
  const known = quotes.get(text);
  if (known !== undefined) return known;
  // What is long comes once, and would stay for long.
  if (text.length > LONGEST) return JSON.stringify(`${text.slice(0, LONGEST)}…`);
  const fresh = JSON.stringify(text);
  if (quotes.size >= MAX_QUOTES) quotes.clear();
  quotes.set(text, fresh);
  return fresh;
}

/** Names come again and again: a look-up costs a third of quoting them. */
const quotes = new Map<string, string>();
const MAX_QUOTES = 1000;

/** With three decimals. Writing a fraction any other way costs ten times as much as writing two whole numbers. */
function decimal(ms: number): string {
  const micros = Math.round(ms * 1000);
  const rest = micros % 1000;
  return `${(micros - rest) / 1000}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}`;
}

function optional(key: string, text: string | undefined): string {
  return text === undefined ? '' : `,"${key}":${quoted(text)}`;
}

/** Events of one second share the text of all but its fraction. */
let lastSecond = Number.NaN;
let lastIso = '';
function isoOf(ms: number): string {
  const fraction = ms % 1000;
  if (ms - fraction !== lastSecond) {
    lastSecond = ms - fraction;
    lastIso = new Date(lastSecond).toISOString().slice(0, -'000Z'.length);
  }
  return `${lastIso}${String(fraction).padStart(3, '0')}Z`;
}

/** Whether a line follows `before` and is as it was written. @returns what is wrong with it, or where the chain stands after it */
export function follow(line: string, before: Head | undefined): Head | string {
  const open = line.slice(0, -TAIL);
  const own = line.slice(-66, -2);
  if (!/^,"hash":"[0-9a-f]{64}"\}$/.test(line.slice(-TAIL))) return 'it is no line of an audit log';
  if (hash('sha256', open) !== own) return 'it was altered';
  const place = /,"seq":(\d+),"prev":"([0-9a-f]{64})"$/.exec(open);
  if (!place) return 'it is no line of an audit log';
  const seq = Number(place[1]);
  if (before && seq !== before.seq + 1) return `it has number ${seq} where ${before.seq + 1} should stand`;
  if (before && place[2] !== before.hash) return 'it does not follow the line before it';
  return { seq, hash: own };
}

/** The hash that a line says it follows. */
export const prevOf = (line: string): string =>
  /,"prev":"([0-9a-f]{64})","hash":"[0-9a-f]{64}"\}$/.exec(line)?.[1] ?? '';
