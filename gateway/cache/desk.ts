/** What operators ask of the caches. */
import type { CacheDesk } from '../../schemas/cache.ts';
import { counter, type MetricFamily } from '../../schemas/metrics.ts';
import type { State } from '../exchange.ts';

type Caches = Pick<State, 'texts' | 'results'>;

export function cacheDesk({ texts, results }: Caches): CacheDesk {
  return {
    stats: async () => ({ texts: await texts.stats(), results: results.stats }),
    async clear(which) {
      // Results are minutes old at most, and of no namespace.
      if (which.namespace === undefined && which.olderThanMs === undefined) results.clear();
      return texts.clear(which);
    },
  };
}

export function cacheFamilies({ texts, results }: Caches): MetricFamily[] {
  const values = Object.entries({ texts, results }).flatMap(([cache, { hits, misses }]) => [
    { labels: { cache, outcome: 'hit' }, value: hits },
    { labels: { cache, outcome: 'miss' }, value: misses },
  ]);
  return [
    counter('slipway_cache_lookups_total', 'How often something was looked for that may have been kept.', values),
  ];
}
