/** What is kept so that it need not be made again. */
import type { CacheStats } from '../../schemas/cache.ts';
import { plain } from './plain.ts';
import { bytesText } from './size.ts';
import { age, table } from './table.ts';

export function cacheText({ texts, results }: CacheStats): string {
  const { memory, disk } = texts;
  const rows = (disk?.namespaces ?? []).map(({ namespace, entries, bytes, usedAt }) => [
    namespace,
    String(entries),
    bytesText(bytes),
    `${age(usedAt)} ago`,
  ]);
  return [
    `Texts    ${memory.entries} of ${memory.maxEntries} in memory, ${useText(texts)}`,
    ...(disk ? [`Disk     ${bytesText(disk.bytes)} of ${bytesText(disk.maxBytes)}`] : []),
    ...(disk?.lastError === undefined ? [] : [`Error    ${plain(disk.lastError)}`]),
    `Results  ${results.entries} of tools, ${bytesText(results.bytes)} of ${bytesText(results.maxBytes)}, ${useText(results)}`,
    ...(rows.length === 0 ? [] : ['', table(['namespace', 'texts', 'size', 'used'], rows)]),
  ].join('\n');
}

function useText({ hits, misses }: { readonly hits: number; readonly misses: number }): string {
  return hits + misses === 0 ? 'not asked for yet' : `${hits} of ${hits + misses} found`;
}
