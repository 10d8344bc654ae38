/** What to write so that a document means something else, with as much as possible left as it is written. */
import { align } from './align.ts';
import { isList, isMap, fieldOf, same, type Json, type JsonMap } from './json.ts';

/** A value as it stands in a file, and what it means once defaults are filled in. */
export interface Said {
  readonly written: Json | undefined;
  readonly means: Json | undefined;
}

/**
 * Where both mean the same, what stands there stays, be it a default that nobody wrote down. So a resource that was
 * printed with all its defaults can be applied again, and brings none of them into the file.
 */
export function keep(now: Said, wish: Said): Json | undefined {
  if (same(now.means, wish.means)) return now.written;
  if (isMap(now.means) && isMap(wish.means) && isMap(wish.written) && (now.written === undefined || isMap(now.written)))
    return keepMap(now.written ?? {}, now.means, wish.written, wish.means);
  const { written, means } = now;
  if (isList(written) && isList(means) && isList(wish.written) && isList(wish.means) && written.length === means.length)
    return keepList(written, means, wish.written, wish.means);
  return wish.written;
}

function keepMap(written: JsonMap, means: JsonMap, wished: JsonMap, wishMeans: JsonMap): Json {
  const keys = new Set([...Object.keys(written), ...Object.keys(wished)]);
  const entries = [...keys].map((key) => [
    key,
    keep(
      { written: fieldOf(written, key), means: fieldOf(means, key) },
      { written: fieldOf(wished, key), means: fieldOf(wishMeans, key) },
    ),
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Json;
}

function keepList(
  written: readonly Json[],
  means: readonly Json[],
  wished: readonly Json[],
  wishMeans: readonly Json[],
): Json {
  return align(means, wishMeans).flatMap(({ from, to }): Json[] => {
    if (to === undefined) return [];
    const wish = { written: wished[to], means: wishMeans[to] };
    const value = from === undefined ? wish.written : keep({ written: written[from], means: means[from] }, wish);
    return value === undefined ? [] : [value];
  });
}
