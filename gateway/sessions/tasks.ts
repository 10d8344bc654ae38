/** Whose task is whose: a shared server cannot tell its clients apart. */

/** Tasks that are remembered; the oldest goes first. */
const MAX_TASKS = 10_000;

export class Tasks {
  readonly #owners = new Map<string, string>();

  /** @param answer of the server to a call: MCP 2025-11-25 has `task`, the extension of 2026-07-28 a `resultType` */
  note(server: string, answer: unknown, owner: string): void {
    const { task, resultType, taskId } = (answer ?? {}) as Record<string, unknown>;
    const id = resultType === 'task' ? taskId : (task as { taskId?: unknown } | undefined)?.taskId;
    if (typeof id !== 'string') return;
    const key = keyOf(server, id);
    // Whoever had it first keeps it: a server that repeats itself must not hand one user's task to another.
    if (!this.#owners.has(key)) this.#owners.set(key, owner);
    if (this.#owners.size <= MAX_TASKS) return;
    for (const oldest of this.#owners.keys()) return void this.#owners.delete(oldest);
  }

  /** Whether a task is known to be somebody else's. After a restart nothing is known, and what protects a task is its id. */
  isForeign(server: string, taskId: unknown, caller: string): boolean {
    const owner = this.#owners.get(keyOf(server, String(taskId)));
    return owner !== undefined && owner !== caller;
  }
}

const keyOf = (server: string, taskId: string): string => JSON.stringify([server, taskId]);
