/** What operators ask of the caches. */
import type { CacheDesk } from '../../schemas/cache.ts';
import type { State } from '../exchange.ts';

export function cacheDesk({ texts, results }: Pick<State, 'texts' | 'results'>): CacheDesk {
  return {
    stats: async () => ({ texts: await texts.stats(), results: results.stats }),
    async clear(which) {
      // Results are minutes old at most, and of no namespace.
      if (which.namespace === undefined && which.olderThanMs === undefined) results.clear();
      return texts.clear(which);
    },
  };
}
