/** One request of Streamable HTTP, and the messages that its answer brings. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { asMessage, type RpcMessage, type RpcRequest } from '../../schemas/jsonrpc.ts';
import { SseParser } from '../../schemas/sse.ts';

/** Where the gateway's route is, and what leads there. */
export interface Wire {
  readonly fetch: typeof fetch;
  readonly url: URL;
}

/** What both eras need of the bridge. */
export interface Way {
  readonly wire: Wire;
  /** Takes what the client is to read. */
  readonly tell: (message: RpcMessage) => void;
  /** Takes what is for people. */
  readonly warn: (text: string) => void;
  /** Aborted when the client is gone. */
  readonly closed: AbortSignal;
}

export interface Sent {
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly session: string | undefined;
  /** Where an event stream was left, if it had ids. */
  lastEventId: string | undefined;
  /** The pause the other side wants before another attempt (ms). */
  retry: number | undefined;
  /** Why the stream ended before its time. */
  broken: unknown;
  /** What was said instead of a message. */
  problem: string | undefined;
}

/** Characters that one event may have: as much as the gateway lets through, and then some. */
const MAX_EVENT = 256 * 1024 * 1024;

/**
 * Sends it and hands on each message as it comes. A stream that breaks off is no error: what it brought is worth something.
 * @throws SlipwayError `not-running` when nobody answers
 */
export async function exchange(
  { fetch, url }: Wire,
  sent: Sent,
  onMessage: (message: RpcMessage, status: number) => void,
  onBegin: (status: number) => void = () => {},
): Promise<Answer> {
  const response = await fetch(url, sent);
  const { status } = response;
  const answer: Answer = {
    status,
    session: response.headers.get('mcp-session-id') ?? undefined,
    lastEventId: undefined,
    retry: undefined,
    broken: undefined,
    problem: undefined,
  };
  const take = (text: string): void => {
    const value = parsed(text);
    const message = asMessage(value);
    // One that is about to stop says so instead of beginning something: that is no answer yet.
    if (message && status !== 503) onMessage(message, status);
    else answer.problem ??= problemOf(value) ?? `HTTP ${status}.`;
  };
  onBegin(status);
  try {
    if (response.headers.get('content-type')?.startsWith('text/event-stream')) await readEvents(response, answer, take);
    else {
      const text = await response.text();
      if (text !== '') take(text);
    }
  } catch (error) {
    answer.broken = error;
  }
  return answer;
}

async function readEvents(response: Response, answer: Answer, take: (data: string) => void): Promise<void> {
  const parser = new SseParser(({ data }) => {
    answer.lastEventId = parser.lastId;
    take(data);
  }, MAX_EVENT);
  try {
    for await (const chunk of response.body ?? []) parser.push(Buffer.from(chunk));
  } finally {
    // A first event without data only says where to take it up.
    answer.lastEventId = parser.lastId;
    answer.retry = parser.retry;
  }
}

function parsed(text: string): unknown {
  try {
    return parseExact(text);
  } catch {
    return undefined;
  }
}

/** The words of an error, be it REST's `{error, error_code, hint}` or JSON-RPC's. */
function problemOf(value: unknown): string | undefined {
  const { error, hint } = (value ?? {}) as { error?: unknown; hint?: unknown };
  if (typeof error === 'string') return typeof hint === 'string' ? `${error} ${hint}` : error;
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === 'string' ? message : undefined;
}

/** The error of a request that was not answered in MCP's words. */
export function unanswered({ method }: RpcRequest, { status, problem, broken }: Answer): SlipwayError {
  if (status === 401) return new SlipwayError('unauthorized', problem);
  if (status === 403) return new SlipwayError('forbidden', problem);
  if (broken === undefined && status >= 300)
    return new SlipwayError('upstream-unavailable', problem ?? `The gateway answered HTTP ${status}.`);
  const text = `The connection broke before ${method} was answered; whether it was done is not known.`;
  return new SlipwayError('upstream-unavailable', text);
}

/** How long somebody who asks is kept waiting for a gateway that restarts, and the pauses between attempts (ms). */
const PATIENCE = 30_000;
const PAUSE = 100;
const PAUSE_MAX = 2_000;

/** Nobody was there to take it. */
const NEVER_ARRIVED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);

/**
 * Sends again what cannot have been done: nobody took it, or it may be done twice. A gateway that restarts is only slow then.
 * @param twice whether doing it twice does no harm
 */
export async function patiently(attempt: () => Promise<Answer>, twice: boolean, signal: AbortSignal): Promise<Answer> {
  const until = performance.now() + PATIENCE;
  for (let pause = PAUSE; ; pause = Math.min(pause * 2, PAUSE_MAX)) {
    try {
      const answer = await attempt();
      // The gateway is about to stop, and says so instead of beginning something.
      if (answer.status !== 503 || performance.now() > until) return answer;
    } catch (error) {
      if (signal.aborted || performance.now() > until || !(twice || neverArrived(error))) throw error;
    }
    await sleep(pause * (0.5 + Math.random()), undefined, { signal });
  }
}

function neverArrived(error: unknown): boolean {
  if (!(error instanceof SlipwayError)) return false;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return NEVER_ARRIVED.has(code);
}
