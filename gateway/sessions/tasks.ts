/**
 * Tasks (MCP 2025-11-25, basic/utilities/tasks; since 2026-07-28 an extension, SEP-2663): a call that goes on after its answer.
 *
 * The id that a client gets says which server has the task, and is signed for its principal. So two servers may give the same
 * id, the id finds its server after a restart, and nobody can ask for another's task: servers, which all clients share, cannot
 * tell them apart.
 */
import { timingSafeEqual } from 'node:crypto';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { Identity } from '../auth/identity.ts';
import type { Seal } from './seal.ts';

/** What is kept of tasks, to list them and to tell of them; beyond it the oldest are forgotten first: in all, and of one principal. */
const MAX_TASKS = 10_000;
const MAX_PER_PRINCIPAL = 1_000;
/** Where a message says to which task it belongs. */
const RELATED = 'io.modelcontextprotocol/related-task';
/** Base64url of 16 bytes. */
const MAC_LENGTH = 22;

type Values = Readonly<Record<string, unknown>>;

/** Which task of which server. */
export interface TaskRef {
  readonly server: string;
  /** As the server calls it. */
  readonly id: string;
}

interface Kept {
  readonly principal: string;
  /** Who began it: a session, or one request. */
  readonly client: string;
}

export class Tasks {
  readonly #seal: Seal;
  /** By server and id, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  readonly #counts = new Map<string, number>();

  constructor(seal: Seal) {
    this.#seal = seal;
  }

  /** What a principal is to call a task. Always the same, for clients compare it. */
  nameFor({ key }: Pick<Identity, 'key'>, { server, id }: TaskRef): string {
    return `${this.#mac(key, server, id)}.${server}.${id}`;
  }

  /** @throws RpcFailure invalid params for what is no task of this principal, which all looks the same */
  find({ key }: Pick<Identity, 'key'>, name: unknown): TaskRef {
    const [, mac = '', server = '', id = ''] = /^([\w-]{22})\.([^.]+)\.(.*)$/s.exec(String(name)) ?? [];
    const right = Buffer.from(this.#mac(key, server, id));
    if (mac.length !== MAC_LENGTH || !timingSafeEqual(Buffer.from(mac), right)) throw unknownTask();
    return { server, id };
  }

  /**
   * A server has begun one for a client.
   * @throws RpcFailure for an id that is another principal's: a server that repeats itself must not hand one user's task to another
   */
  begun({ key }: Pick<Identity, 'key'>, client: string, { server, id }: TaskRef): void {
    const at = placeOf(server, id);
    const before = this.#kept.get(at);
    if (before && before.principal !== key)
      throw new RpcFailure({ code: RPC.internalError, message: `${server} gave the task an id that is taken` });
    this.#forget(at);
    if (this.#count(key) >= MAX_PER_PRINCIPAL) this.#forgetOldest(({ principal }) => principal === key);
    if (this.#kept.size >= MAX_TASKS) this.#forgetOldest(() => true);
    this.#kept.set(at, { principal: key, client });
    this.#counts.set(key, this.#count(key) + 1);
  }

  /** Whose it is; `undefined` for one that is not known here, or not any more. */
  of(server: string, id: unknown): Kept | undefined {
    return this.#kept.get(placeOf(server, String(id)));
  }

  #mac(principal: string, server: string, id: string): string {
    return this.#seal
      .sign('task', JSON.stringify([principal, server, id]))
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

const placeOf = (server: string, id: string): string => `${server} ${id}`;

export function unknownTask(): RpcFailure {
  return new RpcFailure({ code: RPC.invalidParams, message: 'Task not found' });
}

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
  const { resultType, taskId, task } = (result ?? {}) as { resultType?: unknown; taskId?: unknown; task?: unknown };
  return resultType === 'task' && typeof taskId === 'string' ? taskId : idIn(task);
}

function idIn(holder: unknown): string | undefined {
  const { taskId } = (holder ?? {}) as { taskId?: unknown };
  return typeof taskId === 'string' ? taskId : undefined;
}
