/**
 * One event as one line of JSON, and the chain that the lines make: each has a number, the hash of the line before it, and
 * last its own hash, which is the SHA-256 of the line up to there. A line that is altered, removed, added or moved
 * breaks the chain, unless every line after it is written anew.
 */
import { hash } from 'node:crypto';
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

/** @returns the line without its newline, and where the chain stands after it */
export function chainLine(
  draft: AuditDraft,
  { md5, sha256 }: ArgumentHashes,
  { seq, hash: prev }: Head,
): [string, Head] {
  const next = seq + 1;
  const open = `${bodyOf(draft, md5, sha256)},"seq":${next},"prev":"${prev}"`;
  const own = hash('sha256', open);
  return [`${open},"hash":"${own}"}`, { seq: next, hash: own }];
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
    (durationMs === undefined ? '' : `,"durationMs":${Math.round(durationMs * 1000) / 1000}`) +
    (status === undefined ? '' : `,"status":${status}`) +
    (resultBytes === undefined ? '' : `,"resultBytes":${resultBytes}`) +
    optional('commit', draft.commit) +
    (detail === undefined ? '' : `,"detail":${JSON.stringify(detail)}`)
  );
}

/** The longest text of a client's that is kept; what is longer is cut, never the log. */
const LONGEST = 512;

function quoted(text: string | undefined): string {
  if (text === undefined) return 'null';
  return JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
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
