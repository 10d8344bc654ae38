/** What is kept so that it need not be made again, as the snapshot has it. */
import type { CacheSettings } from '../../../schemas/cache.ts';
import type { CacheSpec, ToolCacheSpec } from '../../../schemas/kinds/fields/cache.ts';
import { bytes, milliseconds } from '../../../schemas/kinds/fields.ts';
import type { ServerEntry } from '../../../schemas/snapshot.ts';

export function cacheSettings({ maxSize, ttl, maxMemoryEntries }: CacheSpec): CacheSettings {
  const max = maxSize.endsWith('%') ? { percent: Number.parseInt(maxSize, 10) } : { bytes: bytes(maxSize) };
  return { max, ttlMs: milliseconds(ttl), maxMemoryEntries };
}

export function withToolCache(rules: ToolCacheSpec): Pick<ServerEntry, 'cache'> {
  if (rules.length === 0) return {};
  return {
    cache: rules.map(({ tools, ttl, force }) => ({
      tools,
      ...(ttl === undefined ? {} : { ttlMs: milliseconds(ttl) }),
      ...(force ? { force } : {}),
    })),
  };
}
