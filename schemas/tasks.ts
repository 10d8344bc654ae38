/**
 * Tasks in messages, and which of them a server has to stay for.
 *
 * A task (MCP 2025-11-25, basic/utilities/tasks; since 2026-07-28 an extension, SEP-2663) is a call that goes on after its answer.
 */
import { RpcFailure, type RpcNotification } from './jsonrpc.ts';

/** How a server tells, unasked, how one stands. */
export const TASK_STATUS = 'notifications/tasks/status';
/** Where a message says to which task it belongs. */
const RELATED = 'io.modelcontextprotocol/related-task';

type Values = Readonly<Record<string, unknown>>;

/** The message with every id of a task in it, wherever the protocol puts one, in other words. */
export function renamed(message: Values, rename: (id: string) => string): Record<string, unknown> {
  const { taskId, task } = message as { taskId?: unknown; task?: unknown };
  const inner = idIn(task);
  return {
    ...related(message, rename),
    ...(typeof taskId === 'string' ? { taskId: rename(taskId) } : {}),
    ...(inner === undefined ? {} : { task: { ...(task as object), taskId: rename(inner) } }),
  };
}

/** The same for the task that it belongs to alone: those that it is about may be its client's own. */
export function related(message: Values, rename: (id: string) => string): Values {
  const meta = message['_meta'] as Values | undefined;
  const id = idIn(meta?.[RELATED]);
  if (id === undefined) return message;
  return { ...message, _meta: { ...meta, [RELATED]: { ...(meta?.[RELATED] as object), taskId: rename(id) } } };
}

/** The id of the task that a message says it belongs to. */
export const relatedTask = (params: Values | undefined): string | undefined =>
  idIn((params?.['_meta'] as Values | undefined)?.[RELATED]);

/** The id of the task that an answer to a call is about, if it is one that goes on. */
export function begunIn(result: unknown): string | undefined {
  return idIn(taskIn(result));
}

function taskIn(result: unknown): unknown {
  const { resultType, task } = (result ?? {}) as { resultType?: unknown; task?: unknown };
  return resultType === 'task' ? result : task;
}

function idIn(holder: unknown): string | undefined {
  const { taskId } = (holder ?? {}) as { taskId?: unknown };
  return typeof taskId === 'string' ? taskId : undefined;
}

/** More tasks of one instance are not watched: the oldest are forgotten first. */
const MAX_OPEN = 1_000;
/** How long what a task has brought is kept for its client, which does not know yet that it is there (ms). */
const TO_BE_FETCHED = 30_000;
/** How often a task is asked after whose server does not say (ms); and within which bounds it may say. */
const POLL = { usual: 2_000, least: 250, most: 10_000 };
/** How long an answer to that may take (ms). */
const PATIENCE = 10_000;
/** What a timer can wait for (ms). */
const LONGEST = 2 ** 31 - 1;

interface OpenTask {
  /** From then on nobody can expect anything of it any more. As `performance.now()` gives it */
  readonly until: number;
  readonly pollMs: number;
  readonly isOver: boolean;
}

export type Ask = (
  method: string,
  params: Record<string, unknown>,
  options: { signal: AbortSignal },
) => Promise<unknown>;

/**
 * The tasks that one instance works on, or whose results it keeps, as far as it can be told from what passes by. While there are
 * some, the instance must not be stopped without need: a task ends with it, and its client, which was told that it goes on, waits in vain.
 */
export class OpenTasks {
  readonly #open = new Map<string, OpenTask>();
  readonly #onNone = new Set<() => void>();

  /** Whether a client can still expect something of one. */
  get any(): boolean {
    if (this.#open.size === 0) return false;
    const now = performance.now();
    for (const [id, { until }] of this.#open) if (until <= now) this.#delete(id);
    return this.#open.size > 0;
  }

  /** @param listener called when {@link any} becomes false because of something that was said @returns stops that */
  whenNone(listener: () => void): () => void {
    if (this.#open.size === 0) listener();
    this.#onNone.add(listener);
    return () => void this.#onNone.delete(listener);
  }

  /** How long to wait before they are asked after again (ms). */
  get pollMs(): number {
    return Math.min(POLL.most, ...[...this.#open.values()].map(({ pollMs }) => pollMs));
  }

  /** A request was answered. Cheap for what is about no task. */
  answered(method: string, params: Values | undefined, result: unknown): void {
    if (method.startsWith('tasks/')) return this.#about(method, String(params?.['taskId']), result);
    if (params?.['task'] === undefined && (result as Values | undefined)?.['resultType'] !== 'task') return;
    this.#note(taskIn(result));
  }

  /** A request was refused. Of a task that the server does not know, nothing can be expected. */
  refused(method: string, params: Values | undefined, error: unknown): void {
    if (method.startsWith('tasks/') && error instanceof RpcFailure) this.#delete(String(params?.['taskId']));
  }

  /** The server said something unasked, which may be how one stands. */
  told({ method, params }: RpcNotification): void {
    if (method === TASK_STATUS && this.#open.has(String(params?.['taskId']))) this.#note(params);
  }

  /** Its instance has ended, and they with it. */
  clear(): void {
    for (const id of this.#open.keys()) this.#delete(id);
  }

  /** Asks after those that are not over yet: their clients may never do so. @returns whether there is anybody who answers. Never throws */
  async check(ask: Ask): Promise<boolean> {
    const working = [...this.#open.keys()].filter((id) => this.#open.get(id)?.isOver === false);
    if (working.length === 0) return true;
    const signal = AbortSignal.timeout(PATIENCE);
    const method = 'tasks/get';
    const answers = working.map(async (taskId) => {
      try {
        this.answered(method, { taskId }, await ask(method, { taskId }, { signal }));
        return true;
      } catch (error) {
        this.refused(method, { taskId }, error);
        return error instanceof RpcFailure;
      }
    });
    return (await Promise.all(answers)).includes(true);
  }

  #about(method: string, id: string, result: unknown): void {
    // What it brought is in the answer; or nobody wants it any more.
    if (method === 'tasks/result' || method === 'tasks/cancel') this.#delete(id);
    else if (method === 'tasks/get' && this.#open.has(id)) this.#note({ ...(result as object), taskId: id });
  }

  #note(task: unknown): void {
    const id = idIn(task);
    if (id === undefined) return;
    const before = this.#open.get(id);
    const { isOver, ttlMs = LONGEST, pollMs = before?.pollMs ?? POLL.usual } = standingOf(task as Values);
    const now = performance.now();
    // What it brought is kept for its client for a while, and never longer than the server keeps it.
    const fetchedBy = isOver && !before?.isOver ? now + TO_BE_FETCHED : Infinity;
    const until = Math.min(before?.until ?? now + ttlMs, fetchedBy);
    const [oldest] = this.#open.keys();
    if (!before && this.#open.size >= MAX_OPEN && oldest !== undefined) this.#open.delete(oldest);
    this.#open.set(id, { until, pollMs: Math.min(Math.max(pollMs, POLL.least), POLL.most), isOver });
  }

  #delete(id: string): void {
    if (this.#open.delete(id) && this.#open.size === 0) for (const listener of this.#onNone) listener();
  }
}

const OVER: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

/** How one stands, in the words of either era. */
function standingOf({ status, ttl, ttlMs = ttl, pollInterval, pollIntervalMs = pollInterval }: Values) {
  const isOver = typeof status === 'string' && OVER.has(status);
  return { isOver, ttlMs: durationIn(ttlMs), pollMs: durationIn(pollIntervalMs) };
}

const durationIn = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 ? value : undefined;
