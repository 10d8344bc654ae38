/** The fields of a kind as `explain` tells them, from the schema that checks the config. Pure. */
import { parse } from 'yaml';
import { SlipwayError } from '../../schemas/errors.ts';
import { documentSchema, type JsonSchema } from '../../schemas/json-schema.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { suggest } from '../../schemas/suggest.ts';
import { resolved } from '../write/fields.ts';
import { exampleOf } from './example.ts';
import { shapesIn, waysOf, type Ways } from './ways.ts';

export interface Explained {
  /** From the top of the document: `spec.http.port`. */
  readonly path: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
  readonly default?: unknown;
  /** Nested as it stands in a document. */
  readonly example: unknown;
  readonly fields: readonly Child[];
  /** Where it may have several shapes: the field that tells which, and what each has besides. */
  readonly by?: string;
  readonly oneOf?: readonly Shape[];
}

interface Shape extends Pick<Child, 'name' | 'description'> {
  readonly fields: readonly Child[];
}

export interface Child {
  /** With `<key>` for what one may call as one likes. */
  readonly name: string;
  readonly type: string;
  readonly isRequired: boolean;
  readonly description: string;
  readonly default?: unknown;
}

interface Property extends Pick<Child, 'name' | 'isRequired'> {
  readonly schema: JsonSchema;
}

/** @param words below the kind; `spec` may be left out, and a shape is named by what tells it @throws SlipwayError unknown-field, with what may have been meant */
export function explained(kind: Kind, words: readonly string[]): Explained {
  const root = documentSchema(kind);
  const top = propertiesOf(root, root);
  const isInside = words.length === 0 || top.some(({ name }) => name === words[0]);
  const path = (isInside ? words : ['spec', ...words]).map((word) => word.replace(/\[\]$/, ''));
  const { at, place, value, isEntry } = walk(kind, root, path);
  const schema = resolved(root, at.schema);
  const told = waysOf(root, entryOf(root, schema));
  return {
    path: path.join('.'),
    type: typeText(root, schema),
    isRequired: at.isRequired,
    description: at.description ?? textOf(schema),
    ...defaultOf(schema),
    example: nested(place, value ?? (isEntry ? [exampleOf(root, schema)] : exampleOf(root, schema))),
    fields: propertiesOf(root, schema).map((property) => childOf(root, property)),
    ...(told ? { by: told.by, oneOf: shapesOf(root, told) } : {}),
  };
}

interface At extends Property {
  /** Of a shape. */
  readonly description?: string;
}

interface Walked {
  readonly at: At;
  /** Where it stands in a document: a shape has no name there. */
  readonly place: readonly string[];
  /** What stands there in the example of the kind. */
  readonly value: unknown;
  /** A shape that entries of a list may have. */
  readonly isEntry: boolean;
}

/** @throws SlipwayError unknown-field */
function walk(kind: Kind, root: JsonSchema, path: readonly string[]): Walked {
  let at: At = { name: kind.kind, schema: root, isRequired: true };
  let isShape = false;
  let isEntry = false;
  const place: string[] = [];
  path.forEach((word, index) => {
    const properties = propertiesOf(root, at.schema);
    const shapes = waysOf(root, entryOf(root, at.schema))?.ways ?? [];
    const next = properties.find(({ name }) => name === word);
    const shape = next ? undefined : shapes.find(({ values }) => values.includes(word));
    const found = next ?? shape ?? properties.find(({ name }) => name === ANY);
    if (!found) {
      const names = [...properties.map(({ name }) => name), ...shapes.flatMap(({ values }) => values)];
      throw unknown(kind, path.slice(0, index + 1), names);
    }
    isShape = shape !== undefined;
    isEntry = isShape && resolved(root, at.schema)['type'] === 'array';
    if (!isShape) place.push(word);
    at = 'values' in found ? { name: word, isRequired: false, ...found } : found;
  });
  return { at, place, value: isShape ? undefined : valueAt(parse(kind.example), place), isEntry };
}

/** What a list is of, or the value itself. */
function entryOf(root: JsonSchema, given: JsonSchema): JsonSchema {
  const schema = resolved(root, given);
  return schema['type'] === 'array' ? entryOf(root, (schema['items'] ?? {}) as JsonSchema) : schema;
}

const shapesOf = (root: JsonSchema, { by, ways }: Ways): Shape[] =>
  ways.map(({ values, description, schema }) => ({
    name: values.join(' or '),
    description,
    fields: propertiesOf(root, schema)
      .filter(({ name }) => name !== by)
      .map((property) => childOf(root, property)),
  }));

const defaultOf = (schema: JsonSchema): { default?: unknown } =>
  'default' in schema && !isEmpty(schema['default']) ? { default: schema['default'] } : {};

const ANY = '<key>';
/** Lists in lists and unions in unions; what goes on for ever (any JSON) is not followed further. */
const DEEP = 4;

/** Of a map, of each way to write one, of the entries of a list, of the values of a map with free keys. */
function propertiesOf(root: JsonSchema, given: JsonSchema, depth = 0): Property[] {
  if (depth > DEEP) return [];
  const schema = resolved(root, given);
  if (isAny(schema)) return [];
  const required = (schema['required'] ?? []) as readonly string[];
  const own = Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>);
  const more = schema['additionalProperties'];
  const told = waysOf(root, schema);
  const which = told && { enum: told.ways.flatMap(({ values }) => values), description: 'Which of them it is.' };
  const ways = [
    ...(told && which ? [{ name: told.by, schema: which, isRequired: true }] : []),
    ...shapesIn(schema).flatMap((way) => propertiesOf(root, way, depth + 1)),
  ];
  return [
    ...own.map(([name, property]) => ({ name, schema: property, isRequired: required.includes(name) })),
    ...ways.filter(({ name }, index) => ways.findIndex((way) => way.name === name) === index),
    ...(schema['items'] ? propertiesOf(root, schema['items'] as JsonSchema, depth + 1) : []),
    ...(typeof more === 'object' && more !== null && Object.keys(more).length > 0
      ? [{ name: ANY, schema: more as JsonSchema, isRequired: false }]
      : []),
  ];
}

function childOf(root: JsonSchema, { name, schema, isRequired }: Property): Child {
  const own = resolved(root, schema);
  return {
    name,
    type: typeText(root, own),
    isRequired,
    description: textOf(own).split(/(?<=\.)\s|[;:]\s/, 1)[0] ?? '',
    ...defaultOf(own),
  };
}

/** Any JSON, in which names are not ours to tell. */
function isAny(schema: JsonSchema): boolean {
  const types = shapesIn(schema).map(({ type }) => type);
  return types.includes('null') && types.includes('object');
}

/** `list of text`, `map`, `stdio or http or sse`. */
function typeText(root: JsonSchema, given: JsonSchema, depth = 0): string {
  if (depth > DEEP) return 'any';
  const schema = resolved(root, given);
  if (Array.isArray(schema['enum'])) return schema['enum'].map(String).join(' or ');
  if ('const' in schema) return String(schema['const']);
  const ways = shapesIn(schema);
  if (isAny(schema)) return 'any';
  if (ways.length > 0) return [...new Set(ways.map((way) => typeText(root, way, depth + 1)))].join(' or ');
  if (schema['type'] === 'array') return `list of ${typeText(root, (schema['items'] ?? {}) as JsonSchema, depth + 1)}`;
  const words: Readonly<Record<string, string>> = {
    string: 'text',
    object: 'map',
    integer: 'number',
    boolean: 'true or false',
  };
  return words[String(schema['type'])] ?? String(schema['type'] ?? 'any');
}

const textOf = ({ description }: JsonSchema): string => (typeof description === 'string' ? description : '');

const isEmpty = (value: unknown): boolean => ['{}', '[]', '""'].includes(JSON.stringify(value));

function unknown(kind: Kind, path: readonly string[], names: readonly string[]): SlipwayError {
  const nearest = suggest(path.at(-1) ?? '', names);
  const above = [kind.kind.toLowerCase(), ...path.slice(0, -1)].join('.');
  const hint = nearest
    ? `Did you mean ${nearest}?`
    : names.length === 0
      ? `${above} has no fields.`
      : `Known there: ${names.join(', ')}.`;
  return new SlipwayError('unknown-field', `${kind.kind} has no field ${path.join('.')}.`, { hint });
}

/** Through lists by their first entry. */
function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, word) => {
    const map = Array.isArray(at) ? (at[0] as unknown) : at;
    return typeof map === 'object' && map !== null ? (map as Record<string, unknown>)[word] : undefined;
  }, value);
}

const nested = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight<unknown>((inner, word) => ({ [word]: inner }), value);
