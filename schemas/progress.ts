/** Progress of requests: under tokens of our own on each wire, and for tasks also after their answers. */
import type { Id } from './jsonrpc.ts';
import type { RequestOptions } from './peer.ts';
import { begunIn } from './tasks.ts';

/** Tasks whose progress is passed on: of more, the oldest are forgotten first. */
const MAX_TASKS = 1_000;

type Told = Pick<RequestOptions, 'onProgress' | 'progressToken'>;
const NOBODY: Told = {};

/** Who is told of the progress of tasks: their tokens stay valid when the call that began one is answered (MCP 2025-11-25, "Task progress"). */
export class Afterwards {
  readonly #told = new Map<unknown, Told>();

  /** @param id of the request, which is its token on this wire */
  answered(id: Id | null, { onProgress, progressToken }: Told, result: unknown): void {
    if (onProgress === undefined || begunIn(result) === undefined) return;
    this.#told.set(id, progressToken === undefined ? { onProgress } : { onProgress, progressToken });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_TASKS) this.#told.delete(oldest);
  }

  of(token: unknown): Told {
    return this.#told.get(token) ?? NOBODY;
  }
}

/**
 * Progress tokens must be unique on this wire, so ours replaces the client's. Where nobody listens none is asked for: the
 * client's own could be the id of somebody else's request.
 */
export function withProgressToken(
  params: Record<string, unknown> | undefined,
  options: RequestOptions,
  id: Id,
): Record<string, unknown> | undefined {
  const meta = params?.['_meta'] as Record<string, unknown> | undefined;
  if (options.onProgress !== undefined) return { ...params, _meta: { ...meta, progressToken: id } };
  if (meta?.['progressToken'] === undefined) return params;
  const { progressToken: _, ...rest } = meta;
  return { ...params, _meta: rest };
}
