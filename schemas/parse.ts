/**
 * From the bytes of one file to checked resources. Reports every issue at once, each with its position.
 * Pure, so that the result can be cached by the content's hash.
 */
import { LineCounter, parseAllDocuments, type Document } from 'yaml';
import { z } from 'zod';
import { ERRORS, type ErrorCode } from './errors.ts';
import { name } from './kinds/fields.ts';
import { KINDS, kindOf } from './kinds/index.ts';
import type { Kind } from './kinds/kind.ts';
import { add, unknownField, type Context, type IssueContext } from './issue-list.ts';
import { check, valueAt } from './check.ts';
import { locate } from './position.ts';
import { isRecord } from './record.ts';
import { API_VERSION, formatPath, type Issue, type Resource } from './resource.ts';
import { suggest } from './suggest.ts';
import { toValue } from './yaml-value.ts';

/** Larger files are refused: configuration is written by people, and parsing costs about 0.7 ms a kilobyte. */
export const MAX_FILE_BYTES = 1024 * 1024;

const labelKey = z
  .string()
  .regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/, 'must be a label key');

export const metadata = z.strictObject({
  name: name.describe('Unique among resources of the kind.'),
  project: name.optional().describe('Project that owns the resource.'),
  labels: z.record(labelKey, z.string().max(4096)).default({}).describe('Words to select resources by.'),
  annotations: z.record(labelKey, z.string().max(65_536)).default({}).describe('Notes for people and tools.'),
  protect: z
    .enum(['delete', 'replace'])
    .optional()
    .describe(
      'A commit that deletes it is blocked; with replace, also one that replaces what runs. Take this away in a commit before.',
    ),
});

/** YAML 1.2 and nothing else, whatever a `%YAML` directive says: no merge keys, no sets, no binary. */
export const PARSE_OPTIONS = { merge: false, schema: 'core', resolveKnownTags: false, uniqueKeys: false } as const;

export interface Parsed {
  readonly resources: readonly Resource[];
  readonly issues: readonly Issue[];
  /** Addresses of documents with issues: what refers to them is not dangling. */
  readonly refused: readonly string[];
}

/** @param file how the file is named in issues; @param content its raw bytes */
export function parseFile(file: string, content: Uint8Array): Parsed {
  const { values: resources, ...rest } = readFile(file, content, MAX_FILE_BYTES, readResource);
  return { resources, ...rest };
}

/** Any YAML of ours. @param read what one document says, which is not empty; what is wrong with it goes to the context */
export function readFile<T>(
  file: string,
  content: Uint8Array,
  maxBytes: number,
  read: (context: Context, value: unknown) => T | undefined,
): Omit<Parsed, 'resources'> & { readonly values: readonly T[] } {
  if (content.byteLength > maxBytes)
    return { values: [], ...refuse(file, 'file-too-large', `The file has ${content.byteLength} bytes.`) };
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return { values: [], ...refuse(file, 'not-utf8') };
  }
  if (text.includes('\0')) return { values: [], ...refuseNull(file, text) };
  const lines = new LineCounter();
  const values: T[] = [];
  const issues: Issue[] = [];
  const refused: string[] = [];
  for (const document of parseAllDocuments(text, { lineCounter: lines, ...PARSE_OPTIONS })) {
    const place: Context['place'] = (path, on) => locate(document, lines, path, on);
    const context = { file, lines, document: document as Document.Parsed, place, issues, refused };
    const value = readDocument(context);
    // `---` with nothing but comments below it.
    const one = value === undefined || value === null ? undefined : read(context, value);
    if (one !== undefined) values.push(one);
  }
  return { values, issues: issues.sort((a, b) => a.line - b.line || a.column - b.column), refused };
}

/** An issue about a whole file, for callers that cannot even read it. */
export function refuse(file: string, code: ErrorCode, message: string = ERRORS[code].meaning): Parsed {
  return {
    refused: [],
    resources: [],
    issues: [{ file, line: 1, column: 1, path: '', code, message, hint: ERRORS[code].hint }],
  };
}

/** YAML allows no NUL, and neither does anything that values end up in: argv, environment, paths. */
function refuseNull(file: string, text: string): Parsed {
  const before = text.slice(0, text.indexOf('\0')).split('\n');
  const place = { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  const [issue] = refuse(file, 'yaml-syntax', 'The file contains a NUL character.').issues;
  return { refused: [], resources: [], issues: issue ? [{ ...issue, ...place }] : [] };
}

function readDocument(context: Context): unknown {
  const { document, lines } = context;
  for (const problem of [...document.errors, ...document.warnings]) {
    const position = lines.linePos(problem.pos[0]);
    const message = problem.message.split(/ at line \d+/)[0] ?? problem.message;
    add(context, { code: 'yaml-syntax', message, at: { line: position.line, column: position.col } });
  }
  return document.errors.length > 0 || document.warnings.length > 0 ? undefined : toValue(context);
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
  const about = { ...context, schema: kind.kind };
  const meta = check(about, metadata, value['metadata'] ?? {}, ['metadata']);
  const spec = check(about, kind.spec, value['spec'] ?? {}, ['spec']);
  if (meta) checkReserved(context, kind, meta.name);
  if (!meta || spec === undefined) {
    const given = valueAt(value, ['metadata', 'name']);
    if (typeof given === 'string') context.refused.push(`${kind.kind}/${given}`);
    return undefined;
  }
  const start = locate(context.document, context.lines, [], 'value');
  const lines = linesOf(context, kind.cited?.(spec) ?? []);
  const written = kind.templateOf?.(spec) === undefined ? {} : { written: value['spec'] };
  return { kind: kind.kind, metadata: meta, spec, source: { file: context.file, ...start }, ...lines, ...written };
}

/** What a resource says after others changed it, checked as if it had been written so. @param context where issues go */
export function recheck(
  context: IssueContext,
  kind: Kind,
  value: { readonly metadata: unknown; readonly spec: unknown },
): Pick<Resource, 'metadata' | 'spec'> | undefined {
  const about = { ...context, schema: kind.kind };
  const meta = check(about, metadata, value.metadata, ['metadata']);
  const spec = check(about, kind.spec, value.spec, ['spec']);
  return meta && spec !== undefined ? { metadata: meta, spec } : undefined;
}

function linesOf(
  { document, lines }: Context,
  paths: readonly (readonly (string | number)[])[],
): Pick<Resource, 'lines'> {
  if (paths.length === 0) return {};
  const entries = paths.map((path) => [formatPath(path), locate(document, lines, ['spec', ...path], 'key').line]);
  return { lines: Object.fromEntries(entries) as Record<string, number> };
}

function checkReserved(context: Context, kind: Kind, given: string): void {
  if (!Object.hasOwn(kind.reserved ?? {}, given)) return;
  const reason = kind.reserved?.[given];
  add(context, {
    code: 'reserved-name',
    path: ['metadata', 'name'],
    message: `The name ${given} is reserved for a ${kind.kind}: ${reason}.`,
  });
}
