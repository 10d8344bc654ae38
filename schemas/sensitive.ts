/** Keeps secrets out of what people and logs see. */

export const MASK = '***';

const SECRET_NAME =
  /(^|[_.-])(token|secret|passw(or)?d|passphrase|credentials?|api[_-]?key|private[_-]?key|auth(orization)?)([_.-]|$)/i;

/** True if a variable of this name most likely holds a secret, even where somebody wrote it in plain text. */
export function looksSecret(name: string): boolean {
  return SECRET_NAME.test(name.replace(/([a-z0-9])([A-Z])/g, '$1_$2'));
}

/** A function that masks the given values in text. Values under 4 characters are too common to hide. */
export function redactor(values: readonly string[]): (text: string) => string {
  const hidden = [...new Set(values.flatMap(forms))]
    .filter((value) => value.length >= 4)
    .sort((a, b) => b.length - a.length);
  if (hidden.length === 0) return (text) => text;
  const mask = (text: string): string => hidden.reduce((result, value) => result.replaceAll(value, MASK), text);
  return (text) => {
    // Again until nothing changes: a mask and what stands beside it can make up a value. Each round is shorter.
    for (let before = text, after = mask(text); ; [before, after] = [after, mask(after)])
      if (after === before) return after;
  };
}

/** As it is, as it looks inside JSON, in URLs, Basic credentials and dumps, and, since logs are lines, each line of it. */
function forms(value: string): string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.trim() !== '');
  const bytes = Buffer.from(value);
  const [base64, hex] = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('hex')];
  const encoded = [
    base64,
    bytes.toString('base64url'),
    hex,
    hex.toUpperCase(),
    encodeURIComponent(value.toWellFormed()),
  ];
  return [value, JSON.stringify(value).slice(1, -1), ...lines, ...encoded];
}
