/** A value that a schema takes, for people to see what it looks like. Pure. */
import type { JsonSchema } from '../../schemas/json-schema.ts';
import { resolved } from '../write/fields.ts';
import { shapesIn } from './ways.ts';

/** Texts as they stand in configs. The first that the schema takes is the example. */
const TEXTS = [
  'example',
  '30s',
  '64Mi',
  'https://example.com/mcp',
  'https://example.com',
  'EXAMPLE',
  '127.0.0.1:9877',
  '/run/secrets/example',
  '/spec/replicas',
  '0 3 * * *',
  '1.2.3',
  'example/mcp:1.0',
  'ada@example.com',
  'example.com',
  '10.0.0.0/8',
  '2027-01-01T00:00:00Z',
  '2027-01-01',
  '25%',
  '1',
  'Europe/Berlin',
  'example.com:443',
  'unix:///run/docker.sock',
  'a'.repeat(64),
  '-----BEGIN PGP PUBLIC KEY BLOCK-----\n…\n-----END PGP PUBLIC KEY BLOCK-----',
];

/** @param root where `$ref` leads */
export function exampleOf(root: JsonSchema, given: JsonSchema): unknown {
  const schema = resolved(root, given);
  const {
    examples,
    default: usual,
    enum: values,
  } = schema as { examples?: unknown[]; default?: unknown; enum?: unknown[] };
  if (examples?.[0] !== undefined) return examples[0];
  if (usual !== undefined && usual !== null && !['{}', '[]', '""'].includes(JSON.stringify(usual))) return usual;
  if ('const' in schema) return schema['const'];
  if (values) return values[0];
  const [way] = shapesIn(schema);
  if (way) return exampleOf(root, way);
  const make = TYPES[String(schema['type'])];
  return make ? make(root, schema) : 'example';
}

type Make = (root: JsonSchema, schema: JsonSchema) => unknown;

const TYPES: Readonly<Record<string, Make>> = {
  string: (_, schema) => TEXTS.find((text) => takes(schema, text)) ?? 'example',
  boolean: () => true,
  integer: numberOf,
  number: numberOf,
  array: (root, { items, minItems = 1 }) =>
    Array.from({ length: Math.max(1, Number(minItems)) }, () => exampleOf(root, (items ?? {}) as JsonSchema)),
  object: mapOf,
};

function numberOf(
  _: JsonSchema,
  { minimum, exclusiveMinimum, maximum = Infinity, exclusiveMaximum = Infinity }: JsonSchema,
): number {
  const least = Math.max(
    Number(minimum ?? -Infinity),
    exclusiveMinimum === undefined ? -Infinity : Number(exclusiveMinimum) + 1,
  );
  if (maximum === 65_535) return 3000; // A port.
  const most = Math.min(Number(maximum), exclusiveMaximum === Infinity ? Infinity : Number(exclusiveMaximum) / 2);
  return Math.min(Math.max(1, least), most);
}

/** What must be there; where nothing must, the first field. */
function mapOf(
  root: JsonSchema,
  { properties = {}, required = [], additionalProperties, oneOf, anyOf }: JsonSchema,
): unknown {
  const known = Object.entries(properties as Record<string, JsonSchema>);
  const [choice] = (oneOf ?? anyOf ?? []) as JsonSchema[];
  const needed = new Set([...(required as string[]), ...((choice?.['required'] ?? []) as string[])]);
  const wanted = needed.size > 0 ? known.filter(([name]) => needed.has(name)) : known.slice(0, 1);
  if (wanted.length > 0) return Object.fromEntries(wanted.map(([name, schema]) => [name, exampleOf(root, schema)]));
  const isFree = typeof additionalProperties === 'object' && additionalProperties !== null;
  return isFree ? { example: exampleOf(root, additionalProperties as JsonSchema) } : {};
}

function takes({ pattern, minLength = 0, maxLength = Infinity, allOf = [] }: JsonSchema, text: string): boolean {
  const isLong = text.length >= Number(minLength) && text.length <= Number(maxLength);
  const fits = typeof pattern !== 'string' || new RegExp(pattern, 'u').test(text);
  return isLong && fits && (allOf as JsonSchema[]).every((part) => takes(part, text));
}
