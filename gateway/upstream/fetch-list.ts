/** Fetches a whole list from a server, page by page. */
import { SlipwayError } from '../../schemas/errors.ts';
import { rounded } from '../../schemas/exact-json.ts';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import type { RequestOptions } from '../../schemas/peer.ts';
import type { Fetched, Item } from './listing.ts';
import type { ListRow } from './lists.ts';

/** A server that never stops paging is cut off here. */
const MAX_PAGES = 100;

export type Request = (method: string, params: Record<string, unknown>, options: RequestOptions) => Promise<unknown>;

/** @throws SlipwayError `upstream-timeout` after `timeoutMs`, RpcFailure as the server answered */
export async function fetchList(
  { method, field, key }: Pick<ListRow, 'method' | 'field' | 'key'>,
  request: Request,
  timeoutMs: number,
): Promise<Fetched> {
  const signal = AbortSignal.timeout(timeoutMs);
  const isItem = (value: unknown): value is Item => {
    const name = (value as Item | null)?.[key];
    return typeof name === 'string' && name !== '';
  };
  const items: Item[] = [];
  let ttlMs = Infinity;
  let cursor: unknown;
  try {
    for (let page = 0; page < MAX_PAGES; page++) {
      const params = cursor === undefined ? {} : { cursor };
      const result = (await request(method, params, { signal })) as Record<string, unknown> | undefined;
      const listed = result?.[field];
      if (Array.isArray(listed)) items.push(...listed.filter(isItem));
      ttlMs = Math.min(ttlMs, ttlOf(result));
      cursor = result?.['nextCursor'];
      if (typeof cursor !== 'string') break;
    }
  } catch (error) {
    // Many a server with resources has no templates, and says so like this.
    if (error instanceof RpcFailure && error.error.code === RPC.methodNotFound) return { items, ttlMs: 0 };
    throw signal.aborted ? new SlipwayError('upstream-timeout', `${method} took too long.`) : error;
  }
  return {
    // Schemas are read by many, and what they say of numbers is as JavaScript has them.
    items: rounded(items) as Item[],
    ttlMs: Number.isFinite(ttlMs) ? ttlMs : 0,
    ...(typeof cursor === 'string' ? { cut: `It has more than ${MAX_PAGES} pages; what follows is left out.` } : {}),
  };
}

/** Servers of older revisions promise nothing. */
function ttlOf(result: Record<string, unknown> | undefined): number {
  const ttl = result?.['ttlMs'];
  return typeof ttl === 'number' && ttl > 0 ? ttl : 0;
}
