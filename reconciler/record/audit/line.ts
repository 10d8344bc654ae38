/**
 * One event as one line of JSON, and the chain that the lines make: each has a number, the hash of the line before it, and
 * last its own hash, which is the SHA-256 of the line up to there. A line that is altered, removed, added or moved
 * breaks the chain, unless every line after it is written anew.
 */
import { hash, randomUUID } from 'node:crypto';
import type { AuditDraft, AuditKind, AuditOutcome } from '../../../schemas/audit.ts';
import { canonical, NONE, type ArgumentHashes } from './arguments.ts';
import { Chainer } from './chainer.ts';

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

/** Lines on their way to the disk: first as what they say, then as links of the chain, in bytes. */
export class Lines implements AsyncDisposable {
  readonly #chainer = new Chainer();
  #head: Head;
  /** What is no link yet, as `chain` wants it. */
  #pieces: string[] = [];
  #links: Uint8Array[] = [];
  #count = 0;

  /** @param head of the chain that they continue */
  constructor(head: Head) {
    this.#head = head;
  }

  get count(): number {
    return this.#count;
  }

  /** @param hashes of its arguments, if they are known already; it must not hold these any more then */
  add(draft: AuditDraft, hashes?: ArgumentHashes): void {
    this.#pieces.push(...piecesOf(draft, hashes));
    this.#count++;
  }

  /** Makes links of all. @returns their bytes, and where the chain stands after them */
  async link(): Promise<{ bytes: Uint8Array; head: Head }> {
    const pieces = this.#pieces;
    if (pieces.length > 0) {
      this.#pieces = [];
      const { seq, hash: prev } = this.#head;
      const { bytes, hash: own } = await this.#chainer.chain(pieces, seq, prev);
      this.#head = { seq: seq + pieces.length / 3, hash: own };
      this.#links.push(bytes);
    }
    const [only = new Uint8Array(), ...more] = this.#links;
    if (more.length > 0) this.#links = [Buffer.concat(this.#links)];
    return { bytes: this.#links[0] ?? only, head: this.#head };
  }

  /** Forgets the links, once they are written. */
  clear(): void {
    this.#links = [];
    this.#count = this.#pieces.length / 3;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#chainer[Symbol.asyncDispose]();
  }
}

/** Written by hand: JSON.stringify on an object of this size costs three times as much. @returns three, as `chain` wants them */
function piecesOf(draft: AuditDraft, hashes: ArgumentHashes | undefined): [string, string, string] {
  const { tool, principal, project, level, deniedReason, durationMs, status, resultBytes, detail, session } = draft;
  const named = tool !== undefined && level === 'hash' ? nameHash(tool) : tool;
  const token = principal?.startsWith('token:') ? principal.slice(6) : undefined;
  const before =
    `{"ts":"${isoOf(draft.at)}","tokenId":${quoted(token)},"workspaceId":${quoted(project)},"tool":${quoted(named)}` +
    `,"method":${quoted(draft.method)},"allowed":${draft.allowed},"deniedReason":${quoted(deniedReason)}` +
    `,"argumentsMd5":"`;
  const after =
    `","kind":"${draft.kind}","outcome":"${draft.outcome}"` +
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
    (detail === undefined ? '' : `,"detail":${JSON.stringify(detail)}`);
  if (!hashes && draft.arguments !== undefined) return [before, canonical(draft.arguments), after];
  const { md5, sha256 } = hashes ?? NONE;
  return [`${before}${md5}","argumentsSha256":"${sha256}`, '', after];
}

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

/** Events of one millisecond share its text. */
let lastMs = -1;
let lastIso = '';
function isoOf(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastIso = new Date(ms).toISOString();
  }
  return lastIso;
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
