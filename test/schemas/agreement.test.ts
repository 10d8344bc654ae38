/**
 * ajv over the published JSON Schemas and zod over the shapes that they are made from never disagree about a document.
 * Left out, because no schema ever sees them: broken YAML, `__proto__` keys, and everything that needs other documents.
 */
import type { ValidateFunction } from 'ajv/dist/2020.js';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { documentSchema, schemaFor } from '../../schemas/json-schema.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { parseFile } from '../../schemas/parse.ts';
import { FIXTURES, readCases } from '../helpers/corpus.ts';
import { strictAjv } from './strict-ajv.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Path = readonly (string | number)[];

interface Sample {
  readonly name: string;
  readonly kind: string;
  readonly value: Json;
}

const ajv = strictAjv();
const validators: ReadonlyMap<string, ValidateFunction> = new Map(
  Object.values<Kind>(KINDS).map((kind) => [kind.kind, ajv.compile(documentSchema(kind))]),
);

const valid = await samples('valid');
const invalid = await samples('invalid');

describe('corpus', () => {
  test('covers every kind on both sides', () => {
    const kinds = Object.keys(KINDS).sort();
    expect([...new Set(valid.map((sample) => sample.kind))].sort()).toEqual(kinds);
    expect([...new Set(invalid.filter((sample) => !zodAccepts(sample.value)).map((one) => one.kind))].sort()).toEqual(
      kinds,
    );
  });

  test.each([...valid, ...invalid])('$name', ({ kind, value }) => {
    expect(ajvAccepts(kind, value)).toBe(zodAccepts(value));
  });

  test('the schema for any kind says the same as the one for the kind', () => {
    const anyKind = ajv.compile(schemaFor() ?? {});
    const documents = [...valid, ...invalid];
    const differ = documents.filter(({ kind, value }) => anyKind(value) !== ajvAccepts(kind, value));
    expect(differ.map((sample) => sample.name)).toEqual([]);
    expect(documents.filter(({ value }) => anyKind(value)).length).toBeGreaterThanOrEqual(valid.length);
  });
});

describe('documents on which they could differ', () => {
  const server = (spec: Json): Json => document('Server', spec);
  const url = 'https://example.com/mcp';
  const long = (unit: string, count: number): string => unit.repeat(count);
  const hash = long('a', 64);
  const cases: [name: string, value: Json][] = [
    ['an empty spec of a Gateway', document('Gateway', null)],
    ['an empty spec of a Project', document('Project', null)],
    ['empty metadata', { apiVersion: 'slipway/v1', kind: 'Gateway', metadata: null }],
    ['4096 characters outside the basic plane', server({ command: ['x'], description: long('😀', 4096) })],
    ['4097 characters', server({ command: ['x'], description: long('x', 4097) })],
    ['a long argument outside the basic plane', server({ command: [long('😀', 20_000)] })],
    ['a long secret key outside the basic plane', server(withSecretKey(long('😀', 200)))],
    [
      'a long probe tool outside the basic plane',
      server({ command: ['x'], probes: { startup: { call: { tool: long('😀', 100) } } } }),
    ],
    ['a long label outside the basic plane', document('Gateway', {}, { labels: { a: long('😀', 3000) } })],
    ['a long URL outside the basic plane', server({ url: `${url}/${long('😀', 1500)}` })],
    ['a long file name outside the basic plane', server({ command: ['x'], files: [long('😀', 600)] })],
    ['a lone surrogate', server({ command: ['\uD83D'] })],
    ['a line break at the end of a name', document('Gateway', {}, { name: 'main\n' })],
    ['a line break in a secret file', document('Secret', { data: { a: { file: '/a\nb' } } })],
    ['stdio for a url', server({ url, transport: 'stdio' })],
    ['a port and replicas', server({ command: ['x'], http: { port: 80 }, replicas: 2 })],
    ['a port and one replica', server({ command: ['x'], http: { port: 80 }, replicas: 1 })],
    ['a minus zero surge', server({ command: ['x'], rollout: { maxSurge: -0 } })],
    ['no surge, nothing else', server({ command: ['x'], rollout: { maxSurge: 0, maxUnavailable: '1%' } })],
    [
      'a probe over HTTP of sse',
      server({ command: ['x'], transport: 'sse', probes: { startup: { http: { path: '/' } } } }),
    ],
    ['two ways to run', server({ command: ['x'], url })],
    ['a whole number written as a fraction', server({ command: ['x'], replicas: 2.0 })],
    ['a whole number beyond the safe ones', server({ command: ['x'], replicas: 2 ** 60 })],
    ['an upper-case hash', document('Token', { sha256: hash.toUpperCase() })],
    ['a leap second', document('Token', { sha256: hash, expiresAt: '2027-06-30T23:59:60Z' })],
    ['a lower-case date', document('Token', { sha256: hash, expiresAt: '2027-06-30t23:59:59z' })],
    ['a date without seconds', document('Token', { sha256: hash, expiresAt: '2027-06-30T23:59Z' })],
    ['a reserved name', document('Server', { command: ['x'] }, { name: 'slipway' })],
    ['a name that every object has', document('Server', { command: ['x'] }, { name: 'constructor' })],
    ['a key that every object has', document('Secret', { data: { constructor: { env: 'A' } } })],
    ['another api version', { apiVersion: 'slipway/v2', kind: 'Gateway', metadata: { name: 'a' } }],
  ];

  test.each(cases)('%s', (_, value) => {
    expect(ajvAccepts(kindIn(value) ?? '', value)).toBe(zodAccepts(value));
  });

  function withSecretKey(key: string): Json {
    return { command: ['x'], env: [{ name: 'A', valueFrom: { secretRef: { name: 's', key } } }] };
  }
});

describe('properties', () => {
  const originals = valid.filter((sample) => JSON.stringify(sample.value).length < 4000);
  const pool = [...new Set(originals.flatMap((sample) => everyPath(sample.value).map((path) => read(sample, path))))];
  const names = [
    ...new Set(originals.flatMap((sample) => everyPath(sample.value).flatMap((path) => path.at(-1) ?? []))),
  ];
  const replacement = fc.oneof(
    fc.constantFrom(...pool),
    fc.constantFrom<Json>(null, '', 0, -1, 1.5, 65_536, true, [], {}, [null], { a: 1 }, ' ', '^1', '5 s', '😀', '\n'),
    fc.jsonValue({ maxDepth: 2 }).map((value) => plain(value)),
  );
  const mutation = fc.record({
    sample: fc.constantFrom(...originals),
    steps: fc.array(
      fc.record({
        at: fc.nat(),
        action: fc.constantFrom('drop', 'rename', 'replace', 'add'),
        name: fc.oneof(fc.constantFrom(...names.map(String)), fc.string({ maxLength: 8 }), fc.constant('constructor')),
        value: replacement,
      }),
      { minLength: 1, maxLength: 3 },
    ),
  });

  test('no mutation of a valid document makes them disagree', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(mutation, ({ sample, steps }) => {
        let value = sample.value;
        for (const step of steps) {
          const paths = everyPath(value);
          const path = paths[step.at % paths.length];
          if (path) value = change(value, path, step.action, step.name, step.value);
        }
        fc.pre(!hasProto(value));
        const kind = kindIn(value) ?? sample.kind;
        expect(ajvAccepts(kind, value), JSON.stringify(value)).toBe(zodAccepts(value));
      }),
      { numRuns: 1500 },
    );
  });
});

/** The kind that a document says it has, if there is such a kind. */
function kindIn(value: Json): string | undefined {
  const kind = isMap(value) ? value['kind'] : undefined;
  return typeof kind === 'string' && validators.has(kind) ? kind : undefined;
}

function ajvAccepts(kind: string, value: Json): boolean {
  const validate = validators.get(kind);
  if (!validate) throw new Error(`no kind ${kind}`);
  return validate(value);
}

/** JSON is YAML, so the document goes the way that any file goes. */
function zodAccepts(value: Json): boolean {
  return parseFile('document.yaml', new TextEncoder().encode(JSON.stringify(value))).issues.length === 0;
}

async function samples(folder: string): Promise<Sample[]> {
  const cases = await readCases(`${FIXTURES}/${folder}`);
  return cases.flatMap(({ name, files }) =>
    files.flatMap((file) =>
      [...parseAllDocuments(Buffer.from(file.content).toString('utf8'))].flatMap((parsed, index): Sample[] => {
        if (parsed.errors.length > 0 || parsed.warnings.length > 0) return [];
        const value = tryPlain(() => parsed.toJS());
        const kind = value === undefined ? undefined : kindIn(value);
        if (value === undefined || kind === undefined || hasProto(value)) return [];
        return [{ name: `${name} ${file.path} #${index + 1}`, kind, value }];
      }),
    ),
  );
}

function document(kind: string, spec: Json, metadata: { [key: string]: Json } = {}): Json {
  return { apiVersion: 'slipway/v1', kind, metadata: { name: 'a', ...metadata }, spec };
}

/** What is left after a journey through JSON, as both judges get it; `undefined` for what has no end. */
function tryPlain(make: () => unknown): Json | undefined {
  let made: unknown;
  try {
    made = JSON.stringify(make());
  } catch {
    return undefined;
  }
  return typeof made === 'string' ? plain(JSON.parse(made)) : undefined;
}

function plain(value: unknown): Json {
  return z.json().parse(JSON.parse(JSON.stringify(value)));
}

function everyPath(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => everyPath(inner, [...path, key]))];
}

function read(sample: Sample, path: Path): Json {
  return path.reduce<Json>((current, key) => z.json().parse(Reflect.get(Object(current), key)), sample.value);
}

function change(value: Json, path: Path, action: string, name: string, given: Json): Json {
  const [head, ...rest] = path;
  if (head === undefined) {
    if (action === 'add' && isMap(value)) return { ...value, [name]: given };
    return action === 'replace' && isMap(given) ? given : value;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, inner]): [string, Json][] => {
    if (key !== String(head)) return [[key, inner]];
    if (rest.length > 0) return [[key, change(inner, rest, action, name, given)]];
    if (action === 'drop') return [];
    if (action === 'rename') return [[name, inner]];
    if (action === 'add') return [[key, isMap(inner) ? { ...inner, [name]: given } : [inner]]];
    return [[key, given]];
  });
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

function isMap(value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasProto(value: Json): boolean {
  return everyPath(value).some((path) => path.includes('__proto__'));
}
