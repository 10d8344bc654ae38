/** JSON Schemas (draft 2020-12) made from the zod shapes, for editors and for anybody's own checks. */
import { z } from 'zod';
import { findKind, KINDS, type KindName } from './kinds/index.ts';
import type { Kind } from './kinds/kind.ts';
import { lockSchema } from './lock/lock.ts';
import { metadata } from './parse.ts';
import { planSchema } from './plan.ts';
import { API_VERSION } from './resource.ts';
import { snapshotSchema } from './snapshot.ts';
import { statusSchema } from './status.ts';

export type JsonSchema = Record<string, unknown>;

/** The schema of a whole document of one kind. Made once: whoever explains many fields asks for each. */
export function documentSchema(kind: Kind): JsonSchema {
  const known = schemas.get(kind) ?? build(kind);
  schemas.set(kind, known);
  return known;
}

const schemas = new WeakMap<Kind, JsonSchema>();

function build(kind: Kind): JsonSchema {
  const document = z.strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal(kind.kind),
    metadata,
    spec: acceptsNothing(kind.spec) ? kind.spec.optional() : kind.spec,
  });
  const reserved = Object.keys(kind.reserved ?? {});
  const schema = emptySpec(kind, toJson(document, `Slipway ${kind.kind}`, kind.description));
  if (reserved.length === 0) return schema;
  return {
    ...schema,
    not: { properties: { metadata: { properties: { name: { enum: reserved } }, required: ['name'] } } },
  };
}

/** Every schema that is published, by file name: one per kind, one for any kind, and the lock file, plan, snapshot and status. */
export function allSchemas(): Record<string, JsonSchema> {
  const kinds = (Object.keys(KINDS) as KindName[]).map(
    (kind) => [`${kind.toLowerCase()}.json`, documentSchema(KINDS[kind] as Kind)] as const,
  );
  return {
    ...Object.fromEntries(kinds),
    'slipway.json': anyKind(),
    'lock.json': toJson(lockSchema, 'Slipway lock', 'What `slipway lock` writes to slipway.lock.yaml.'),
    'plan.json': toJson(planSchema, 'Slipway plan', 'What `slipway plan -o json` prints.'),
    'status.json': toJson(statusSchema, 'Slipway status', 'What `slipway status -o json` prints.'),
    'snapshot.json': toJson(snapshotSchema, 'Slipway snapshot', 'All that the gateway needs to know.'),
  };
}

/** The schema for a kind as people type it, or the one for any kind. */
export function schemaFor(word?: string): JsonSchema | undefined {
  if (word === undefined) return anyKind();
  const kind = findKind(word);
  return kind ? documentSchema(kind) : allSchemas()[`${word}.json`];
}

/** `if kind … then …` rather than `oneOf`: an editor then reports the errors of the right kind only. */
function anyKind(): JsonSchema {
  const kinds = Object.values(KINDS) as Kind[];
  const parts = kinds.map((kind) => ({ kind, ...withoutDefinitions(kind) }));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Slipway resource',
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata'],
    properties: { apiVersion: { const: API_VERSION }, kind: { enum: kinds.map((kind) => kind.kind) } },
    allOf: parts.map(({ kind, schema }) => ({
      if: { properties: { kind: { const: kind.kind } }, required: ['kind'] },
      // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema's own keyword
      then: schema,
    })),
    $defs: Object.assign({}, ...parts.map(({ definitions }) => definitions)) as JsonSchema,
  };
}

/** References are resolved from the root, so what a kind's schema defines moves there, under names of its own. */
function withoutDefinitions(kind: Kind): { schema: JsonSchema; definitions: JsonSchema } {
  const text = JSON.stringify(documentSchema(kind)).replaceAll('"#/$defs/', `"#/$defs/${kind.kind}-`);
  const { $defs = {}, $schema: _, ...schema } = JSON.parse(text) as JsonSchema;
  const definitions = Object.entries($defs as JsonSchema).map(([name, definition]) => [
    `${kind.kind}-${name}`,
    definition,
  ]);
  return { schema, definitions: Object.fromEntries(definitions) as JsonSchema };
}

function toJson(schema: z.ZodType, title: string, description: string): JsonSchema {
  const made = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' });
  return { ...made, title, description };
}

/** `spec:` with nothing behind it is null in YAML, and means the same as leaving it out. */
function emptySpec(kind: Kind, schema: JsonSchema): JsonSchema {
  const properties = schema['properties'] as Record<string, JsonSchema>;
  if (!acceptsNothing(kind.spec)) return schema;
  return { ...schema, properties: { ...properties, spec: { ...properties['spec'], type: ['object', 'null'] } } };
}

const acceptsNothing = (schema: z.ZodType): boolean => schema.safeParse({}).success;
