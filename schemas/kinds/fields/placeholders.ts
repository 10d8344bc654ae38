/** `${name}` in the values of a document. Put in as values, never as text: what is given cannot become YAML. */

const PLACEHOLDER = /\$\$\{|\$\{([A-Za-z][A-Za-z0-9_]*)\}/g;
const ALONE = /^\$\{([A-Za-z][A-Za-z0-9_]*)\}$/;

export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

/** Every placeholder, with where it stands. */
export function placeholdersIn(
  value: unknown,
  path: readonly (string | number)[] = [],
): { name: string; path: readonly (string | number)[] }[] {
  if (typeof value === 'string')
    return [...value.matchAll(PLACEHOLDER)].flatMap(([, name]) => (name === undefined ? [] : [{ name, path }]));
  if (Array.isArray(value)) return value.flatMap((item, index) => placeholdersIn(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => placeholdersIn(item, [...path, key]));
}

/**
 * The value with each placeholder replaced. One that stands alone becomes the value itself; in a list, the items of a list.
 * @returns `undefined` for a placeholder alone that nothing was given for: its field is left out
 */
export function filled(value: Value, given: Readonly<Record<string, Value>>): Value | undefined {
  if (typeof value === 'string') {
    const alone = ALONE.exec(value)?.[1];
    if (alone !== undefined) return valueOf(given, alone);
    return value.replaceAll(PLACEHOLDER, (_, name?: string) =>
      name === undefined ? '${' : text(valueOf(given, name)),
    );
  }
  if (isList(value))
    return value.flatMap((item): readonly Value[] => {
      const put = filled(item, given);
      if (put === undefined) return [];
      return typeof item === 'string' && isList(put) ? put : [put];
    });
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, filled(item, given)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, Value] => entry[1] !== undefined));
}

/** `constructor` is a name like any other. */
const valueOf = (given: Readonly<Record<string, Value>>, name: string): Value | undefined =>
  Object.hasOwn(given, name) ? given[name] : undefined;

function text(value: Value | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : isList(value) ? value.map(text).join(',') : JSON.stringify(value);
}

const isList = (value: Value | undefined): value is readonly Value[] => Array.isArray(value);
