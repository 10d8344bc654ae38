/** The shapes that a value may have, and what tells them apart: `type` of a stage of a Pipeline, say. Pure. */
import type { JsonSchema } from '../../schemas/json-schema.ts';
import { alternatives, resolved } from '../write/fields.ts';

export interface Way {
  /** What the field says that tells it from the others. */
  readonly values: readonly string[];
  readonly schema: JsonSchema;
  readonly description: string;
}

export interface Ways {
  /** That field. */
  readonly by: string;
  readonly ways: readonly Way[];
}

/** All shapes, whatever tells them apart. On a map, `oneOf` only says which fields go together. */
export const shapesIn = (schema: JsonSchema): JsonSchema[] => [
  ...alternatives(schema),
  ...(schema['type'] === undefined ? ((schema['oneOf'] ?? []) as JsonSchema[]) : []),
];

/** @returns `undefined` where no field tells them apart, or there is just one */
export function waysOf(root: JsonSchema, given: JsonSchema): Ways | undefined {
  const shapes = shapesIn(resolved(root, given)).map((shape) => resolved(root, shape));
  const [first] = shapes;
  if (!first || shapes.length < 2) return undefined;
  const by = Object.keys(propertiesIn(first)).find((key) => isApart(shapes.map((shape) => valuesAt(shape, key))));
  if (by === undefined) return undefined;
  const ways = shapes.map((schema) => ({
    schema,
    values: valuesAt(schema, by),
    description: String(propertiesIn(schema)[by]?.['description'] ?? ''),
  }));
  return { by, ways };
}

const propertiesIn = ({ properties = {} }: JsonSchema): Record<string, JsonSchema> =>
  properties as Record<string, JsonSchema>;

function valuesAt(schema: JsonSchema, key: string): string[] {
  const { const: only, enum: several = [] } = propertiesIn(schema)[key] ?? {};
  return only === undefined ? (several as unknown[]).map(String) : [String(only)];
}

const isApart = (values: readonly (readonly string[])[]): boolean =>
  values.every(({ length }) => length > 0) && new Set(values.flat()).size === values.flat().length;
