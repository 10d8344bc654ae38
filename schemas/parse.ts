/**
 * From the bytes of one file to checked resources. Reports every issue at once, each with its position.
 * Pure, so that the result can be cached by the content's hash.
 */
import { LineCounter, parseAllDocuments, visit, type Document } from 'yaml';
import { z } from 'zod';
import { ERRORS, type ErrorCode } from './errors.ts';
import { name } from './kinds/fields.ts';
import { KINDS, kindOf } from './kinds/index.ts';
import type { Kind } from './kinds/kind.ts';
import { locate } from './position.ts';
import { API_VERSION, formatPath, type Issue, type Resource } from './resource.ts';
import { suggest } from './suggest.ts';

/** Larger files are refused: configuration is written by people, and parsing costs about 0.7 ms a kilobyte. */
export const MAX_FILE_BYTES = 1024 * 1024;
const MAX_ALIASES = 100;

const label = z.record(
  z.string().regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, 'must be a label key'),
  z.string().max(4096),
);

export const metadata = z.strictObject({
  name: name.describe('Unique among resources of the kind.'),
  project: name.optional().describe('Project that owns the resource.'),
  labels: label.default({}).describe('Words to select resources by.'),
  annotations: label.default({}).describe('Notes for people and tools.'),
});

export interface Parsed {
  readonly resources: readonly Resource[];
  readonly issues: readonly Issue[];
}

interface Context {
  readonly file: string;
  readonly lines: LineCounter;
  readonly document: Document.Parsed;
  readonly issues: Issue[];
}

/** @param file how the file is named in issues; @param content its raw bytes */
export function parseFile(file: string, content: Uint8Array): Parsed {
  if (content.byteLength > MAX_FILE_BYTES)
    return refuse(file, 'file-too-large', `The file has ${content.byteLength} bytes.`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return refuse(file, 'not-utf8');
  }
  const lines = new LineCounter();
  const resources: Resource[] = [];
  const issues: Issue[] = [];
  for (const document of parseAllDocuments(text, { lineCounter: lines, merge: false })) {
    const resource = readDocument({ file, lines, document: document as Document.Parsed, issues });
    if (resource) resources.push(resource);
  }
  return { resources, issues: issues.sort((a, b) => a.line - b.line || a.column - b.column) };
}

/** An issue about a whole file, for callers that cannot even read it. */
export function refuse(file: string, code: ErrorCode, message: string = ERRORS[code].meaning): Parsed {
  return { resources: [], issues: [{ file, line: 1, column: 1, path: '', code, message, hint: ERRORS[code].hint }] };
}

function readDocument(context: Context): Resource | undefined {
  const { document, lines } = context;
  for (const problem of [...document.errors, ...document.warnings]) {
    const position = lines.linePos(problem.pos[0]);
    const message = problem.message.split(/ at line \d+/)[0] ?? problem.message;
    add(context, { code: 'yaml-syntax', message, at: { line: position.line, column: position.col } });
  }
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  if (document.contents === null) return undefined;
  const value = toValue(context);
  return value === undefined ? undefined : readResource(context, value);
}

/** The document as plain data. Refuses billion-laughs expansion and anchors that contain themselves. */
function toValue(context: Context): unknown {
  let circular = false;
  visit(context.document, {
    Alias(_, node, path) {
      const target = node.resolve(context.document);
      if (target && path.includes(target)) circular = true;
    },
  });
  try {
    if (circular) throw new ReferenceError('An alias refers to the value that contains it.');
    return context.document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch {
    add(context, { code: 'yaml-alias' });
    return undefined;
  }
}

function readResource(context: Context, value: unknown): Resource | undefined {
  if (!isRecord(value)) return void add(context, { code: 'not-a-resource' });
  const known = ['apiVersion', 'kind', 'metadata', 'spec'];
  if (value['apiVersion'] !== API_VERSION) {
    const given =
      value['apiVersion'] === undefined ? 'has no apiVersion' : `has apiVersion ${JSON.stringify(value['apiVersion'])}`;
    return void add(context, {
      code: 'not-a-resource',
      path: ['apiVersion'],
      message: `The document ${given}, not ${API_VERSION}.`,
    });
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) unknownField(context, [key], known);
  }
  const kindName = value['kind'];
  const kind = typeof kindName === 'string' ? kindOf(kindName) : undefined;
  if (!kind) {
    const nearest = typeof kindName === 'string' ? suggest(kindName, Object.keys(KINDS)) : undefined;
    const hint = nearest ? `Did you mean ${nearest}?` : `Kinds: ${Object.keys(KINDS).join(', ')}.`;
    const message =
      kindName === undefined ? 'The document has no kind.' : `There is no kind ${JSON.stringify(kindName)}.`;
    return void add(context, { code: 'unknown-kind', path: ['kind'], message, hint });
  }
  const meta = check(context, metadata, value['metadata'] ?? {}, ['metadata']);
  const spec = check(context, kind.spec, value['spec'] ?? {}, ['spec']);
  if (meta) checkReserved(context, kind, meta.name);
  if (!meta || spec === undefined) return undefined;
  const start = locate(context.document, context.lines, [], 'value');
  return { kind: kind.kind, metadata: meta, spec, source: { file: context.file, ...start } };
}

function checkReserved(context: Context, kind: Kind, given: string): void {
  const reason = kind.reserved?.[given];
  if (reason === undefined) return;
  add(context, {
    code: 'reserved-name',
    path: ['metadata', 'name'],
    message: `The name ${given} is reserved for a ${kind.kind}: ${reason}.`,
  });
}

function check<Schema extends z.ZodType>(
  context: Context,
  schema: Schema,
  value: unknown,
  base: readonly PropertyKey[],
): z.output<Schema> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) report(context, schema, value, base, issue);
  return undefined;
}

/** Turns one of zod's issues into ours: code, position, and a hint that helps. */
function report(
  context: Context,
  schema: z.ZodType,
  value: unknown,
  base: readonly PropertyKey[],
  issue: z.core.$ZodIssue,
): void {
  const path = [...base, ...issue.path];
  const given = at(value, issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, issue.path);
    for (const key of issue.keys) unknownField(context, [...path, key], known);
  } else if (issue.code === 'custom') {
    add(context, { code: 'conflicting-fields', path, message: `${formatPath(path)} ${issue.message}.` });
  } else if (given === undefined && issue.code !== 'invalid_key') {
    add(context, { code: 'missing-field', path, message: `${formatPath(path)} is missing.` });
  } else if (issue.code === 'invalid_type') {
    const hint =
      typeof given === 'number' && issue.expected === 'string'
        ? { hint: 'Put the value in quotes to make it a string.' }
        : {};
    add(context, {
      code: 'wrong-type',
      path,
      message: `${formatPath(path)} must be ${article(issue.expected)}, not ${typeName(given)}.`,
      ...hint,
    });
  } else if (issue.code === 'invalid_value') {
    const nearest = typeof given === 'string' ? suggest(given, issue.values.map(String)) : undefined;
    const hint = nearest ? { hint: `Did you mean ${nearest}?` } : {};
    add(context, {
      code: 'invalid-value',
      path,
      message: `${formatPath(path)} must be one of ${issue.values.map(String).join(', ')}.`,
      ...hint,
    });
  } else {
    const message = issue.code === 'invalid_key' ? 'has a key that is not allowed' : lowerFirst(issue.message);
    add(context, { code: 'invalid-value', path, message: `${formatPath(path)} ${message}.` });
  }
}

function unknownField(context: Context, path: readonly PropertyKey[], known: readonly string[]): void {
  const nearest = suggest(String(path.at(-1)), known);
  const hint = nearest
    ? `Did you mean ${nearest}?`
    : known.length > 0
      ? `Known here: ${known.join(', ')}.`
      : ERRORS['unknown-field'].hint;
  add(context, { code: 'unknown-field', path, message: `There is no field ${formatPath(path)}.`, hint, on: 'key' });
}

interface NewIssue {
  code: ErrorCode;
  path?: readonly PropertyKey[];
  message?: string;
  hint?: string;
  on?: 'key' | 'value';
  at?: { line: number; column: number };
}

function add(context: Context, issue: NewIssue): void {
  const path = issue.path ?? [];
  const position = issue.at ?? locate(context.document, context.lines, path, issue.on ?? 'value');
  const { meaning, hint } = ERRORS[issue.code];
  context.issues.push({
    file: context.file,
    ...position,
    path: formatPath(path),
    code: issue.code,
    message: issue.message ?? meaning,
    hint: issue.hint ?? hint,
  });
}

/** The field names that an object schema has at `path`; empty where any are allowed. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const key of path) {
    const inner = unwrap(current);
    if (inner instanceof z.ZodObject) current = (inner.shape as Record<PropertyKey, unknown>)[key];
    else if (inner instanceof z.ZodArray) current = inner.element;
    else if (inner instanceof z.ZodRecord) current = inner.valueType;
    else return [];
  }
  const object = unwrap(current);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrap(schema.unwrap());
  return schema;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (current, key) => (typeof current === 'object' && current !== null ? Reflect.get(current, key) : undefined),
    value,
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const typeName = (value: unknown): string =>
  value === null ? 'empty' : article(Array.isArray(value) ? 'list' : typeof value);

function article(type: string): string {
  const word = { array: 'list', record: 'map', object: 'map', int: 'whole number' }[type] ?? type;
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
