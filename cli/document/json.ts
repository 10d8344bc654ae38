/** Plain data, as it stands in YAML and JSON. */
import { isDeepStrictEqual } from 'node:util';

export type Json = null | boolean | number | string | readonly Json[] | JsonMap;
export type JsonMap = { readonly [key: string]: Json };

export const isMap = (value: unknown): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isList = (value: unknown): value is readonly Json[] => Array.isArray(value);

/** The order of keys does not matter. */
export const same = (a: unknown, b: unknown): boolean => isDeepStrictEqual(a, b);

/** Items of a list that have a name are known by it. */
export function nameOf(item: unknown): string | undefined {
  const name = isMap(item) ? item['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

/** Data without what JSON cannot hold (`undefined` above all), so that it can be compared. */
export function toJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json;
}

/** The value of a key that the map itself has: `constructor` is a name like any other. */
export const fieldOf = (map: JsonMap, key: string): Json | undefined =>
  Object.hasOwn(map, key) ? map[key] : undefined;
