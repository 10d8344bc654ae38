/** `slipway explain <kind[.field]>`: every field of every kind, with an example that its schema takes. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { explained } from '../../cli/read/fields.ts';
import { explainedText } from '../../cli/print/explain.ts';
import { documentSchema } from '../../schemas/json-schema.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { cli } from '../helpers/cli.ts';

const run = (...args: string[]) => cli(args, { cwd: '/' });

/** All paths that can be explained, and what is said of each. */
function all(kind: Kind, path: readonly string[] = []): { path: readonly string[]; text: string; value: unknown }[] {
  const field = explained(kind, path);
  const value = path.reduce<unknown>((at, word) => (at as Record<string, unknown>)[word], field.example);
  const deeper = path.length > 8 ? [] : field.fields.flatMap(({ name }) => all(kind, [...path, name]));
  return [{ path, text: explainedText(kind, field), value }, ...deeper];
}

/** The part of a schema that checks a field: as many as there are ways to write it. */
function partsAt(root: Record<string, unknown>, path: readonly string[]): object[] {
  const step = (schemas: Record<string, unknown>[], word: string): Record<string, unknown>[] =>
    schemas
      .flatMap((schema) => open(root, schema))
      .flatMap((schema) => {
        const properties = (schema['properties'] ?? {}) as Record<string, Record<string, unknown>>;
        const more = schema['additionalProperties'];
        const found = properties[word] ?? (word === '<key>' && typeof more === 'object' ? more : undefined);
        return found ? [found as Record<string, unknown>] : [];
      });
  return path.reduce(step, [root]);
}

function open(root: Record<string, unknown>, schema: Record<string, unknown>, depth = 0): Record<string, unknown>[] {
  if (depth > 4) return [];
  const ref = schema['$ref'];
  const target =
    typeof ref === 'string'
      ? ref
          .slice(2)
          .split('/')
          .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], root)
      : undefined;
  const shapes = [
    schema['anyOf'] ?? [],
    schema['type'] === undefined ? (schema['oneOf'] ?? []) : [],
  ].flat() as object[];
  const ways = [...shapes, schema['items'], target].filter(
    (one): one is Record<string, unknown> => typeof one === 'object' && one !== null,
  );
  return [schema, ...ways.flatMap((way) => open(root, way, depth + 1))];
}

describe.each(Object.values(KINDS) as Kind[])('$kind', (kind) => {
  const fields = all(kind);
  const root = documentSchema(kind);

  test('each field says its type, and what it is for', () => {
    expect(fields.length).toBeGreaterThan(5);
    for (const { path, text } of fields) {
      expect(text).toContain(`KIND     ${kind.kind} (${kind.plural}`);
      if (path.length > 0)
        expect(text).toMatch(new RegExp(`FIELD    ${path.join('.').replaceAll(/[.<>$]/g, '\\$&')} <.+>`));
      expect(text).toContain('\n\nEXAMPLE\n  ');
    }
  });

  test('each example is one that the schema of its field takes', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const wrong = fields
      .filter(({ path }) => path.length > 0)
      .filter(({ path, value }) => {
        const parts = partsAt(root, path).map((part) => ({ ...part, $defs: root['$defs'] ?? {} }));
        expect(parts.length, path.join('.')).toBeGreaterThan(0);
        return !parts.some((part) => ajv.validate(part, value));
      })
      .map(({ path, value }) => `${path.join('.')}: ${JSON.stringify(value)}`);
    expect(wrong).toEqual([]);
  });
});

describe('the command', () => {
  test('without a kind, all of them: what to call each, and what else can be listed', async () => {
    const { out, code } = await run('explain');
    expect(code).toBe(0);
    for (const { kind, plural, short } of Object.values(KINDS) as Kind[])
      expect(out).toMatch(new RegExp(`^${plural} +${short.join(',') || '-'} +${kind} +\\S`, 'm'));
    expect(out).toMatch(/^instances +inst +- +\S/m);
    expect(out).toMatch(/^proposals +prop,pr,/m);
    expect(JSON.parse((await run('explain', '-o', 'json')).out)).toContainEqual(
      expect.objectContaining({ name: 'servers', short: ['srv'], kind: 'Server' }),
    );
  });

  test('--recursive: every field below, each with its type', async () => {
    for (const { kind, spec } of Object.values(KINDS) as Kind[]) {
      const { out } = await run('explain', kind.toLowerCase(), '--recursive');
      for (const field of Object.keys((spec as unknown as { shape: object }).shape))
        expect(out, kind).toMatch(new RegExp(`^    ${field}  <`, 'm'));
    }
    expect((await run('explain', 'server.rollout.canary', '--recursive')).out).toBe(
      [
        'KIND     Server',
        'FIELD    spec.rollout.canary <map>',
        '',
        'FIELDS',
        '  steps  <list of map, required>',
        '    weight  <number, required>',
        '    pause  <text, required>',
        '  maxErrorRate  <number>',
        '  minCalls  <number>',
      ].join('\n'),
    );
  });

  test('finds a field with and without spec, through lists, in all spellings of a kind', async () => {
    const { out } = await run('explain', 'server.spec.http.port');
    expect(out).toMatch(/^KIND +Server \(servers, srv\)\nFIELD +spec\.http\.port <number>/);
    expect((await run('explain', 'srv.http.port')).out).toBe(out);
    expect((await run('explain', 'servers.env[].name')).out).toContain('FIELD    spec.env.name <text>, required');
    expect((await run('explain', 'server.metadata.labels')).out).toContain('FIELD    metadata.labels <map>');
    expect((await run('explain', 'server.timeout')).out).toContain('DEFAULT  "60s"');
    expect(JSON.parse((await run('explain', 'server.timeout', '-o', 'json')).out)).toMatchObject({
      path: 'spec.timeout',
      type: 'text',
      isRequired: false,
      default: '60s',
      example: { spec: { timeout: '60s' } },
    });
  });

  test('tells each shape that a value may have, by the field that tells which', async () => {
    const { out } = await run('explain', 'pipeline.stages');
    expect(out).toContain('FIELD    spec.stages <list of map>, required');
    expect(out).toMatch(/^ONE OF, by its type$/m);
    for (const type of ['passthrough', 'paginate', 'section-split', 'redact', 'truncate', 'csv', 'module'])
      expect(out).toMatch(new RegExp(`^  ${type}\n      \\S`, 'm'));
    expect(out).toContain('    pageSize  <number, default 8000>\n        Characters of a page at most.');
    const told = JSON.parse((await run('explain', 'pipeline.stages', '-o', 'json')).out) as Record<string, unknown>;
    expect(told['by']).toBe('type');
    expect((told['fields'] as { type: string }[])[0]?.type).toMatch(/^passthrough or paginate or .* or module$/);
    expect(told['oneOf']).toContainEqual({
      name: 'truncate',
      description: 'Cuts a text off, and says how much was left out.',
      fields: [
        { name: 'maxChars', type: 'number', isRequired: false, description: 'Characters that stay.', default: 8000 },
        expect.objectContaining({ name: 'keep', type: 'true or false' }),
      ],
    });
    const { out: labels } = await run('explain', 'project.serverSelector.matchExpressions');
    expect(labels).toMatch(/^ONE OF, by its operator\n {2}In or NotIn\n/m);
  });

  test('tells one shape, and its fields, by its name', async () => {
    const { out } = await run('explain', 'pipeline.stages.paginate');
    expect(out).toContain('FIELD    spec.stages.paginate <map>\n\nCuts a text into numbered pages');
    expect(out).toContain('EXAMPLE\n  spec:\n    stages:\n      - type: paginate');
    const deeper = JSON.parse((await run('explain', 'pipeline.stages.paginate.pageSize', '-o', 'json')).out) as object;
    expect(deeper).toMatchObject({ path: 'spec.stages.paginate.pageSize', type: 'number', default: 8000 });
    expect((await run('explain', 'pipeline.stages.paginat')).err).toContain('Did you mean paginate?');
  });

  test.each([
    ['serber', 'unknown-kind', 'Did you mean server?'],
    ['server.htp', 'unknown-field', 'Did you mean http?'],
    ['server.timeout.more', 'unknown-field', 'has no fields'],
    ['server.http.nothing-like-it', 'unknown-field', 'Known there: port, path.'],
  ])('%s: %s', async (what, code, hint) => {
    const { code: exit, err } = await run('explain', what);
    expect(exit).toBe(64);
    expect(err).toContain(`[${code}]`);
    expect(err).toContain(hint);
  });
});
