/** Patterns in names: `*` stands for anything, `?` for one character, all else for itself, in any case. */

/**
 * Compiles a pattern. Catastrophic backtracking: rules are matched with names that servers choose, so this goes back to
 * the last `*` only, and takes at most length × length steps.
 */
export function glob(pattern: string): (text: string) => boolean {
  if (/^\*+$/.test(pattern)) return () => true;
  const wanted = characters(pattern);
  return (text) => matches(wanted, characters(text));
}

/** A string is its own list of characters, unless some of them take two places in it. */
function characters(text: string): ArrayLike<string> {
  const lower = text.toLowerCase();
  return /[\uD800-\uDFFF]/.test(lower) ? [...lower] : lower;
}

function matches(pattern: ArrayLike<string>, text: ArrayLike<string>): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < text.length;) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = at++;
      resume = index;
    } else if (wanted === '?' || wanted === text[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

/**
 * Compiles a pattern of paths: `**` as a part stands for any number of folders, `*` and `?` for what has no `/`. Each part
 * of a path is looked at once for each of the pattern's, however both are chosen.
 */
export function pathGlob(pattern: string): (path: string) => boolean {
  const wanted = pattern.split('/').map((part) => (part === '**' ? undefined : glob(part)));
  const withSkipped = (states: Iterable<number>): Set<number> => {
    const all = new Set(states);
    for (const at of all) if (at < wanted.length && wanted[at] === undefined) all.add(at + 1);
    return all;
  };
  return (path) => {
    let states = withSkipped([0]);
    for (const part of path.split('/')) {
      const next = [...states].flatMap((at) => {
        if (at >= wanted.length) return [];
        const fits = wanted[at];
        return fits === undefined ? [at] : fits(part) ? [at + 1] : [];
      });
      states = withSkipped(next);
    }
    return states.has(wanted.length);
  };
}
