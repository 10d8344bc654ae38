/** The committed JSON Schemas are fresh, compile, and accept what we show people as an example. */
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { allSchemas, documentSchema, schemaFor } from '../../schemas/json-schema.ts';
import { readQuestion } from '../../gateway/auth/question.ts';
import { findKind, KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { parseFile } from '../../schemas/parse.ts';
import { strictAjv } from './strict-ajv.ts';

const FOLDER = fileURLToPath(new URL('../../schemas/json/', import.meta.url));
const STALE = 'schemas/json/ is out of date: run `npm run schemas` and commit what it writes';

const schemas = Object.entries(allSchemas());
const kinds = Object.values<Kind>(KINDS);

describe('committed schemas', () => {
  test('are exactly those that exist', async () => {
    const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.json'));
    expect(files.sort(), STALE).toEqual(schemas.map(([file]) => file).sort());
  });

  test.each(schemas)('%s is fresh', async (file, schema) => {
    const text = await readFile(new URL(file, `file://${FOLDER}`), 'utf8').catch(() => '');
    expect(text === '' ? undefined : JSON.parse(text), STALE).toEqual(JSON.parse(JSON.stringify(schema)));
  });
});

describe('each schema', () => {
  test.each(schemas)('%s compiles in strict mode as an editor would read it', (_, schema) => {
    const validate = strictAjv().compile(JSON.parse(JSON.stringify(schema)));
    expect(validate(null)).toBe(false);
    expect(validate([])).toBe(false);
  });

  test.each(schemas)('%s says which dialect it is written in, and what it is for', (_, schema) => {
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(schema['title']).toMatch(/^Slipway /);
  });

  test.each(kinds.map((kind) => [kind.kind, kind] as const))('every field of %s is described', (_, kind) => {
    expect(undescribed(documentSchema(kind)['properties'], '')).toEqual([]);
  });
});

describe('each kind', () => {
  test.each(kinds.map((kind) => [kind.kind, kind] as const))('%s has a valid example', (name, kind) => {
    const { resources, issues } = parseFile('example.yaml', new TextEncoder().encode(kind.example));
    expect(issues).toEqual([]);
    expect(resources.map((resource) => resource.kind)).toEqual([name]);
    const validate = strictAjv().compile(documentSchema(kind));
    expect(validate(parse(kind.example)), JSON.stringify(validate.errors)).toBe(true);
  });

  test.each(kinds)('$kind is found as people type it', (kind) => {
    for (const word of [kind.kind, kind.kind.toUpperCase(), kind.plural, ...kind.short])
      expect(schemaFor(word)).toEqual(documentSchema(kind));
  });

  test('RoleBindings answer to the names that they have elsewhere', () => {
    for (const word of ['rb', 'rbac', 'rbac-definition']) expect(findKind(word)?.kind, word).toBe('RoleBinding');
    // What verbs are about is more than the kind.
    expect(readQuestion('view', 'rbac')).toEqual({ about: 'resource', verb: 'view', resource: 'rbac' });
    expect(readQuestion('view', 'rb/ops')).toMatchObject({ resource: 'rolebindings', name: 'ops' });
  });

  test('words that are no kind have no schema', () => {
    expect(schemaFor('constructor')).toBeUndefined();
    expect(schemaFor('__proto__')).toBeUndefined();
    expect(schemaFor('pods')).toBeUndefined();
    expect(schemaFor('plan')).toEqual(allSchemas()['plan.json']);
  });
});

/** Paths of the fields of `spec` that an editor would show without a word of explanation. */
function undescribed(properties: unknown, path: string): string[] {
  if (typeof properties !== 'object' || properties === null) return [];
  return Object.entries(properties).flatMap(([key, field]: [string, unknown]): string[] => {
    if (typeof field !== 'object' || field === null) return [];
    const here = path === '' ? key : `${path}.${key}`;
    const inner = undescribed('properties' in field ? field.properties : undefined, here);
    const wanted = path.startsWith('spec') && !('description' in field);
    return wanted ? [here, ...inner] : inner;
  });
}
