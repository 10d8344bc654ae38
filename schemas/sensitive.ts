/** Keeps secrets out of what people and logs see. */

export const MASK = '***';

const SECRET_NAME = /(^|[_.-])(token|secret|passw(or)?d|passphrase|credentials?|api_?key|private_?key|auth)([_.-]|$)/i;

/** True if a variable of this name most likely holds a secret, even where somebody wrote it in plain text. */
export function looksSecret(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A function that masks the given values in text. Values under 4 characters are too common to hide. */
export function redactor(values: readonly string[]): (text: string) => string {
  const hidden = [...new Set(values)].filter((value) => value.length >= 4).sort((a, b) => b.length - a.length);
  if (hidden.length === 0) return (text) => text;
  return (text) => hidden.reduce((result, value) => result.replaceAll(value, MASK), text);
}
