/** A three-way merge of values: what a template changed since it was used, into what became of the copy meanwhile. Pure. */
import { fieldOf, isList, isMap, nameOf, same, type Json, type JsonMap } from '../document/json.ts';

/** A field that the template changed. */
export interface Step {
  /** `env.LEVEL.value` */
  readonly path: string;
  readonly base: Json | undefined;
  readonly mine: Json | undefined;
  readonly theirs: Json | undefined;
  /** True where it was changed here as well, into something else. */
  readonly isConflict: boolean;
}

export interface Merged {
  readonly value: Json | undefined;
  readonly steps: readonly Step[];
}

/** @param prefer whose a field is that both changed */
export function merge(
  versions: { readonly base: Json | undefined; readonly mine: Json | undefined; readonly theirs: Json | undefined },
  prefer: 'mine' | 'theirs' = 'mine',
  path: readonly string[] = [],
): Merged {
  const { base, mine, theirs } = versions;
  if (same(base, theirs) || same(mine, theirs)) return { value: mine, steps: [] };
  const parts = [base, mine, theirs].map(partsOf);
  const [below, own, other] = parts;
  if (own && other && (below || base === undefined)) {
    const keys = [...new Set([...own.keys(), ...other.keys()])];
    const merged = keys.map((key) => {
      const part = { base: below?.get(key), mine: own.get(key), theirs: other.get(key) };
      return { key, ...merge(part, prefer, [...path, key]) };
    });
    const left = merged.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value] as const]));
    return {
      value: isList(mine) ? left.map(([, value]) => value) : Object.fromEntries(left),
      steps: merged.flatMap(({ steps }) => steps),
    };
  }
  const isConflict = !same(base, mine);
  const step = { path: path.join('.'), base, mine, theirs, isConflict };
  return { value: isConflict && prefer === 'mine' ? mine : theirs, steps: [step] };
}

/** Fields of a map, or items of a list in which each has a name of its own. */
function partsOf(value: Json | undefined): ReadonlyMap<string, Json> | undefined {
  if (isMap(value)) return new Map(Object.keys(value).map((key) => [key, fieldOf(value as JsonMap, key) as Json]));
  if (!isList(value)) return undefined;
  const names = value.map(nameOf);
  const isNamed = names.every((name) => name !== undefined) && new Set(names).size === names.length;
  return isNamed ? new Map(value.map((item) => [nameOf(item) ?? '', item])) : undefined;
}
