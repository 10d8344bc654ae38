/** The fields of a kind as a command line knows them: made from its schema, so that a new field is a new flag. */
import { parse } from 'yaml';
import { documentSchema, type JsonSchema } from '../../schemas/json-schema.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { isList, isMap, nameOf, fieldOf, toJson, type Json } from '../document/json.ts';

export interface Field {
  /** From the top of the document: `['spec', 'http', 'port']`. */
  readonly path: readonly string[];
  readonly schema: JsonSchema;
}

/** Every field that has a value of its own: maps with fixed keys are gone through, whatever the way to write them. */
export function fieldsOf(kind: Kind): Field[] {
  const root = documentSchema(kind);
  const properties = root['properties'] as Record<string, JsonSchema>;
  const fields = ['metadata', 'spec'].flatMap((part) => walk(root, properties[part] ?? {}, [part]));
  return fields.filter(({ path }) => path.join('.') !== 'metadata.name');
}

function walk(root: JsonSchema, given: JsonSchema, path: readonly string[]): Field[] {
  const schema = resolved(root, given);
  const ways = alternatives(schema);
  if (ways.length > 1) {
    const deep = ways.filter((way) => resolved(root, way)['properties'] !== undefined);
    const flat = ways.filter((way) => !deep.includes(way));
    const own = flat.length === 0 ? [] : [{ path, schema: { ...schema, anyOf: flat } }];
    return [...own, ...deep.flatMap((way) => walk(root, way, path))];
  }
  const properties = schema['properties'] as Record<string, JsonSchema> | undefined;
  if (properties && path.length > 0 && !isEmpty(properties)) {
    return Object.entries(properties).flatMap(([key, property]) => walk(root, property, [...path, key]));
  }
  const items = schema['items'] as JsonSchema | undefined;
  const more = schema['additionalProperties'] as JsonSchema | undefined;
  return [
    {
      path,
      schema: {
        ...schema,
        ...(items ? { items: resolved(root, items) } : {}),
        ...(isMap(more) ? { additionalProperties: resolved(root, more) } : {}),
      },
    },
  ];
}

const isEmpty = (properties: object): boolean => Object.keys(properties).length === 0;

/** `anyOf` is how a union of shapes is written; on a map, `oneOf` only says which fields go together. */
export const alternatives = (schema: JsonSchema): JsonSchema[] =>
  schema['type'] === undefined ? ((schema['anyOf'] ?? []) as JsonSchema[]) : [];

/** All ways to write a value; `oneOf` is how those are listed that a field of theirs tells apart. */
function waysOf(schema: JsonSchema): JsonSchema[] {
  const ways = alternatives(schema);
  return ways.length > 0 || schema['type'] !== undefined ? ways : ((schema['oneOf'] ?? []) as JsonSchema[]);
}

/** What a `$ref` leads to, with what stands beside it. */
export function resolved(root: JsonSchema, schema: JsonSchema): JsonSchema {
  const reference = schema['$ref'];
  if (typeof reference !== 'string') return schema;
  const { $ref: _, ...own } = schema;
  const target = reference
    .slice(2)
    .split('/')
    .reduce<unknown>((at, key) => (isMap(at) ? at[key] : undefined), root);
  return { ...resolved(root, (target ?? {}) as JsonSchema), ...own };
}

/** `<text>`, `<stdio|http|sse>`, `<key=value>`: what its value looks like. */
export function typeOf(schema: JsonSchema): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].map(String).join('|');
  const ways = alternatives(schema);
  if (ways.length > 0) return [...new Set(ways.map(typeOf))].join('|');
  if (schema['type'] === 'array') return typeOf((schema['items'] ?? {}) as JsonSchema);
  if (schema['type'] === 'object') {
    const properties = schema['properties'] as Record<string, JsonSchema> | undefined;
    if (!properties) return 'key=value';
    return Object.keys(properties)
      .slice(0, 2)
      .map((key) => `${key}=…`)
      .join(',');
  }
  return (
    { string: 'text', integer: 'number', number: 'number', boolean: 'true|false' }[String(schema['type'])] ?? 'yaml'
  );
}

/** Text from a command line as a value of its field. @throws SlipwayError usage, naming `what` */
export function readValue(schema: JsonSchema, text: string, what: string): Json {
  const ways = waysOf(schema);
  const type = schema['type'];
  if (ways.length > 0) return readUnion(ways, text, what);
  if (type === 'string') return text;
  if (type === 'integer' || type === 'number') {
    if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
    throw new SlipwayError('usage', `${what} takes a number, not ${text}.`);
  }
  if (type === 'boolean') {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new SlipwayError('usage', `${what} takes true or false, not ${text}.`);
  }
  const compact = type === 'object' && !text.trimStart().startsWith('{');
  return compact && isMap(schema['properties']) ? readFields(schema, text, what) : readYaml(text, what);
}

function readUnion(ways: readonly JsonSchema[], text: string, what: string): Json {
  const types = ways.map((way) => way['type']);
  const number = types.some((type) => type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text);
  if (number) return Number(text);
  if (types.includes('boolean') && /^(true|false)$/.test(text)) return text === 'true';
  const isText = types.includes('string') || ways.some((way) => Array.isArray(way['enum']));
  const map = isText ? undefined : ways.find((way) => isSaid(way, text));
  if (map) return readFields(map, text, what);
  return isText && !/^\s*[[{]/.test(text) ? text : readYaml(text, what);
}

/** Whether the first field of `type=paginate,pageSize=…` is one of the map, with the only value that it takes there. */
function isSaid(way: JsonSchema, text: string): boolean {
  const [, key = '', value] = /^([\w-]+)=([^,]*)/.exec(text) ?? [];
  const field = (way['properties'] as Record<string, JsonSchema> | undefined)?.[key];
  return field !== undefined && (!('const' in field) || String(field['const']) === value);
}

/** `name=A,value=b`, with dots into what lies deeper; of a list of names with values, `A=b`, too. */
function readFields(schema: JsonSchema, text: string, what: string): Json {
  const properties = schema['properties'] as Record<string, JsonSchema>;
  const first = text.split('=', 1)[0] ?? '';
  const isPair = 'name' in properties && 'value' in properties && !((first.split('.')[0] as string) in properties);
  if (isPair && text.includes('=')) return { name: first, value: text.slice(first.length + 1) };
  return text.split(',').reduce<Json>((value, part) => {
    const equals = part.indexOf('=');
    if (equals < 1)
      throw new SlipwayError('usage', `${what} takes ${typeOf(schema)}, not ${text}.`, {
        hint: `As YAML: ${what} '{ … }'.`,
      });
    const path = part.slice(0, equals).split('.');
    return withValue(value, path, readValue(schemaAt(schema, path), part.slice(equals + 1), what));
  }, {});
}

/** One entry of a map: `key=value`, or `key.field=value` where its values are maps. */
export function readEntry(schema: JsonSchema, text: string, what: string): { path: string[]; value: Json } {
  const inner = (isMap(schema['additionalProperties']) ? schema['additionalProperties'] : {}) as JsonSchema;
  const equals = text.indexOf('=');
  if (equals < 1) throw new SlipwayError('usage', `${what} takes key=value, not ${text}.`);
  const [key, rest] = [text.slice(0, equals), text.slice(equals + 1)];
  const dot = key.lastIndexOf('.');
  const field = (inner['properties'] as Record<string, JsonSchema> | undefined)?.[key.slice(dot + 1)];
  if (dot > 0 && field) return { path: [key.slice(0, dot), key.slice(dot + 1)], value: readValue(field, rest, what) };
  return { path: [key], value: readValue(inner, rest, what) };
}

/** The schema of what stands below; anything where it has none. */
export function schemaAt(schema: JsonSchema, path: readonly string[]): JsonSchema {
  return path.reduce<JsonSchema>((at, key) => {
    const ways = [at, ...alternatives(at)];
    for (const way of ways) {
      const property = (way['properties'] as Record<string, JsonSchema> | undefined)?.[key];
      if (property && Object.hasOwn(way['properties'] as object, key)) return property;
      if (way['type'] === 'array') return (way['items'] ?? {}) as JsonSchema;
      if (isMap(way['additionalProperties'])) return way['additionalProperties'] as JsonSchema;
    }
    return {};
  }, schema);
}

function readYaml(text: string, what: string): Json {
  try {
    return toJson(parse(text, { schema: 'core', maxAliasCount: 0 }));
  } catch {
    throw new SlipwayError('usage', `${what} takes YAML or JSON, not ${text}.`);
  }
}

/**
 * A copy with a value at a path. Maps on the way are made; items of a list are known by their index or their name.
 * `undefined` takes away. @throws SlipwayError usage where a list has no such item
 */
export function withValue(target: Json | undefined, path: readonly string[], value: Json | undefined): Json {
  const [key, ...rest] = path;
  if (key === undefined) return value ?? null;
  if (isList(target)) return withItem(target, key, rest, value);
  const map = isMap(target) ? target : {};
  const inner = rest.length === 0 ? value : withValue(fieldOf(map, key), rest, value);
  const entries = Object.entries(map);
  if (inner === undefined) return Object.fromEntries(entries.filter(([name]) => name !== key));
  if (!Object.hasOwn(map, key)) return Object.fromEntries([...entries, [key, inner]]);
  return Object.fromEntries(entries.map(([name, old]) => [name, name === key ? inner : old]));
}

function withItem(list: readonly Json[], key: string, rest: readonly string[], value: Json | undefined): Json {
  const index = /^\d+$/.test(key) ? Number(key) : list.findIndex((item) => nameOf(item) === key);
  if (index < 0 || index > list.length)
    throw new SlipwayError('usage', `There is no item ${key} in the list.`, {
      hint: 'Name items by index, from 0, or by their name.',
    });
  const inner = rest.length === 0 ? value : withValue(list[index], rest, value);
  return inner === undefined ? list.toSpliced(index, 1) : list.toSpliced(index, 1, inner);
}
