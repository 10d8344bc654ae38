/**
 * Tasks (MCP 2025-11-25, basic/utilities/tasks; since 2026-07-28 an extension, SEP-2663): a call that goes on after its answer.
 *
 * The id that a client gets says which instance of which server has the task, and is signed for its principal. So two of them may
 * give the same id, the id finds its server after a restart, and nobody can ask for another's task: servers, which all clients
 * share, cannot tell them apart.
 */
import { timingSafeEqual } from 'node:crypto';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Identity } from '../auth/identity.ts';
import type { Seal } from './seal.ts';

/** What is kept of tasks, to list them and to tell of them; beyond it the oldest are forgotten first: in all, and of one principal. */
const MAX_TASKS = 10_000;
const MAX_PER_PRINCIPAL = 1_000;
/** Base64url of 16 bytes. */
const MAC_LENGTH = 22;

/** Which task of which server. */
export interface TaskRef {
  readonly server: string;
  /** The one that began it (`Upstream.instance`), as far as it is known. */
  readonly instance: string | undefined;
  /** As the server calls it. */
  readonly id: string;
}

interface Kept extends Omit<TaskRef, 'id'> {
  readonly principal: string;
  /** Who began it: a session, or one request. */
  readonly client: string;
  /** What was called, under the server's own name. */
  readonly tool: string | undefined;
}

export class Tasks {
  readonly #seal: Seal;
  /** By instance and id, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  readonly #counts = new Map<string, number>();

  constructor(seal: Seal) {
    this.#seal = seal;
  }

  /** What a principal is to call a task. Always the same, for clients compare it. */
  nameFor({ key }: Pick<Identity, 'key'>, task: TaskRef): string {
    return `${this.#mac(key, task)}.${task.server}.${task.instance ?? ''}.${task.id}`;
  }

  /** @throws RpcFailure invalid params for what is no task of this principal, which all looks the same */
  find({ key }: Pick<Identity, 'key'>, name: unknown): TaskRef {
    const [, mac = '', server = '', at = '', id = ''] = NAME.exec(String(name)) ?? [];
    const task = { server, instance: at === '' ? undefined : at, id };
    const right = Buffer.from(this.#mac(key, task));
    if (mac.length !== MAC_LENGTH || !timingSafeEqual(Buffer.from(mac), right)) throw unknownTask();
    return task;
  }

  /**
   * A server has begun one for a client.
   * @throws RpcFailure for an id that is another principal's: a server that repeats itself must not hand one user's task to another
   */
  begun({ key }: Pick<Identity, 'key'>, task: TaskRef, by: Pick<Kept, 'client' | 'tool'>): void {
    const at = placeOf(task);
    const before = this.#kept.get(at);
    if (before && before.principal !== key)
      throw new RpcFailure({ code: RPC.internalError, message: `${task.server} gave the task an id that is taken` });
    this.#forget(at);
    if (this.#count(key) >= MAX_PER_PRINCIPAL) this.#forgetOldest(({ principal }) => principal === key);
    if (this.#kept.size >= MAX_TASKS) this.#forgetOldest(() => true);
    this.#kept.set(at, { server: task.server, instance: task.instance, principal: key, ...by });
    this.#counts.set(key, this.#count(key) + 1);
  }

  /** Whose it is; `undefined` for one that is not known here, or not any more. */
  of(task: TaskRef): Kept | undefined {
    return this.#kept.get(placeOf(task));
  }

  /** Where a principal has begun tasks of a server. */
  instances({ key }: Pick<Identity, 'key'>, server: string): (string | undefined)[] {
    const own = [...this.#kept.values()].filter((kept) => kept.server === server && kept.principal === key);
    return [...new Set(own.map(({ instance }) => instance))];
  }

  #mac(principal: string, { server, instance = '', id }: TaskRef): string {
    return this.#seal
      .sign('task', JSON.stringify([principal, server, instance, id]))
      .subarray(0, 16)
      .toString('base64url');
  }

  #count(principal: string): number {
    return this.#counts.get(principal) ?? 0;
  }

  #forgetOldest(fits: (kept: Kept) => boolean): void {
    for (const [at, kept] of this.#kept) if (fits(kept)) return this.#forget(at);
  }

  #forget(at: string): void {
    const kept = this.#kept.get(at);
    if (!kept) return;
    this.#kept.delete(at);
    const left = this.#count(kept.principal) - 1;
    if (left > 0) this.#counts.set(kept.principal, left);
    else this.#counts.delete(kept.principal);
  }
}

const NAME = /^([\w-]{22})\.([^.]+)\.([\w-]*)\.(.*)$/s;

const placeOf = ({ server, instance = '', id }: TaskRef): string => `${server} ${instance} ${id}`;

export function unknownTask(): RpcFailure {
  return new RpcFailure({ code: RPC.invalidParams, message: 'Task not found' });
}
