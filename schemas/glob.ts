/** Names with wildcards, as configs use them: `*` stands for anything, `?` for one character. */

/**
 * Upper and lower case are alike. A loop with one place to go back to rather than a regular expression: patterns such as
 * `*a*a*a*b` would make one take time without end.
 */
export function matchesGlob(pattern: string, name: string): boolean {
  const [wanted, text] = [pattern.toLowerCase(), name.toLowerCase()];
  let [at, star, from] = [0, -1, 0];
  for (let index = 0; index < text.length;) {
    const sign = wanted[at];
    if (sign === '*') {
      star = at++;
      from = index;
    } else if (sign === '?' || sign === text[index]) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++from;
    } else return false;
  }
  while (wanted[at] === '*') at++;
  return at === wanted.length;
}
