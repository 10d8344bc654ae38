/** What can be asked of the log. */
import { SlipwayError } from '../../../schemas/errors.ts';
import { AUDIT_KINDS, AUDIT_OUTCOMES } from '../../../schemas/audit.ts';
import { duration, milliseconds } from '../../../schemas/kinds/fields.ts';
import { nameHash, type AuditEvent } from './line.ts';

export interface AuditQuery {
  readonly principal?: string;
  readonly tool?: string;
  readonly server?: string;
  readonly project?: string;
  readonly kind?: string;
  readonly outcome?: string;
  readonly session?: string;
  readonly request?: string;
  /** Unix time in ms. */
  readonly since?: number;
  readonly until?: number;
  /** A commit, or how its id begins: events from the first one under it. */
  readonly sinceCommit?: string;
  /** Only events with a smaller number: the page after one that ended there. */
  readonly before?: number;
  readonly limit: number;
}

const MAX_LIMIT = 1000;
const TEXTS = ['principal', 'tool', 'server', 'project', 'session', 'request'] as const;
const EVENT = [...TEXTS, 'kind', 'outcome'];
/** What can be asked of events, of sessions, and of events to come. What would be passed over is refused. */
const NAMES = {
  events: [...EVENT, 'since', 'until', 'sinceCommit', 'before', 'limit', 'follow'],
  sessions: ['principal', 'project', 'since', 'until', 'limit'],
  follow: [...EVENT, 'limit', 'follow'],
} as const;

/** @throws SlipwayError bad-request for what cannot be asked */
export function readQuery(params: URLSearchParams, about: keyof typeof NAMES = 'events', now = Date.now()): AuditQuery {
  const names: readonly string[] = NAMES[about];
  for (const name of params.keys())
    if (!names.includes(name)) throw wrong(name, `cannot be asked here; there are ${names.join(', ')}`);
  const limit = numberOf(params, 'limit') ?? 100;
  if (limit < 1 || limit > MAX_LIMIT) throw wrong('limit', `must be from 1 to ${MAX_LIMIT}`);
  const texts = Object.fromEntries(TEXTS.flatMap((name) => (params.get(name) ? [[name, params.get(name)]] : [])));
  const before = numberOf(params, 'before');
  const sinceCommit = params.get('sinceCommit');
  if (sinceCommit !== null && !/^[0-9a-f]{4,64}$/.test(sinceCommit))
    throw wrong('sinceCommit', 'must be the id of a commit');
  return {
    ...texts,
    ...oneOf(params, 'kind', AUDIT_KINDS),
    ...oneOf(params, 'outcome', AUDIT_OUTCOMES),
    ...timeOf(params, 'since', now),
    ...timeOf(params, 'until', now),
    ...(sinceCommit === null ? {} : { sinceCommit }),
    ...(before === undefined ? {} : { before }),
    limit,
  };
}

/** Whether an event is one of those asked for, as the index would say. */
export function matches(query: AuditQuery, event: AuditEvent): boolean {
  const { tool, session, request } = query;
  for (const name of ['principal', 'server', 'project', 'kind', 'outcome'] as const)
    if (query[name] !== undefined && query[name] !== event[name]) return false;
  if (session !== undefined && session !== event.sessionId) return false;
  if (request !== undefined && request !== event.requestId) return false;
  return tool === undefined || tool === event.tool || nameHash(tool) === event.tool;
}

function numberOf(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw wrong(name, 'must be a number');
  return Number(text);
}

/** A date, or how long ago: `2026-01-02T03:04:05Z`, `1h`. @throws SlipwayError bad-request */
export function timeOf<N extends string>(params: URLSearchParams, name: N, now: number): { [key in N]?: number } {
  const text = params.get(name);
  if (text === null) return {};
  const time = duration.safeParse(text).success ? now - milliseconds(text) : Date.parse(text);
  if (Number.isNaN(time)) throw wrong(name, 'must be a date such as 2026-01-02T03:04:05Z, or a duration such as 1h');
  return { [name]: time } as { [key in N]?: number };
}

function oneOf(params: URLSearchParams, name: string, values: readonly string[]): Record<string, string> {
  const text = params.get(name);
  if (text === null) return {};
  if (!values.includes(text)) throw wrong(name, `must be one of ${values.join(', ')}`);
  return { [name]: text };
}

const wrong = (name: string, why: string): SlipwayError => new SlipwayError('bad-request', `${name} ${why}.`);
