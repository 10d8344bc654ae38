/** What `-f` brings: documents from files, folders, a pipe or a URL, in every form that people have them. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LineCounter } from 'yaml';
import { directorySource } from '../../reconciler/index.ts';
import { ERRORS, SlipwayError, type ErrorCode } from '../../schemas/errors.ts';
import { findKind, KINDS } from '../../schemas/kinds/index.ts';
import { MAX_FILE_BYTES, parseFile } from '../../schemas/parse.ts';
import { locate } from '../../schemas/position.ts';
import { API_VERSION, type Issue } from '../../schemas/resource.ts';
import { suggest } from '../../schemas/suggest.ts';
import { addressIn, documentsOf, textOf, type FileDocument } from '../document/documents.ts';
import { isList, isMap, type Json, type JsonMap } from '../document/json.ts';
import { mapLines } from '../document/render.ts';
import { Drafts, type Remark } from '../import/draft.ts';
import { fromMcpctl, isOnlyMcpctl } from '../import/mcpctl/index.ts';
import type { Io } from '../io.ts';
import type { Wanted } from './changes.ts';

const PATIENCE_MS = 30_000;
/** What one resource may say beside its spec where it stands in a list. */
const META = ['name', 'project', 'labels', 'annotations', 'protect'];

export interface Input {
  /** As it is named in issues. */
  readonly name: string;
  readonly content: Uint8Array;
}

/** @param places files, folders, URLs, or `-` @throws SlipwayError path-not-found, source-unreachable, file-too-large */
export async function readInputs(places: readonly string[], io: Io): Promise<Input[]> {
  const inputs = await Promise.all(places.map((place) => readInput(place, io)));
  const all = inputs.flat();
  for (const { name, content } of all)
    if (content.byteLength > MAX_FILE_BYTES) throw new SlipwayError('file-too-large', `${name} is over 1 MiB.`);
  return all;
}

async function readInput(place: string, io: Io): Promise<Input[]> {
  if (place === '-') return [{ name: '(stdin)', content: await gathered(io.input, 'stdin') }];
  if (/^https?:\/\//i.test(place)) return [{ name: place, content: await fetched(place, io.signal) }];
  const path = resolve(io.cwd, place);
  const info = await stat(path).catch(() => undefined);
  if (!info)
    throw new SlipwayError('path-not-found', `There is no ${place}.`, {
      hint: 'Name a file, a folder, a URL, or - for what is piped in.',
    });
  if (!info.isDirectory()) return [{ name: place, content: await readFile(path) }];
  await using source = directorySource(path);
  const { id } = await source.fetch(io.signal);
  const files = (await source.files(id, io.signal)).filter(
    (file) => file.type !== 'symlink' && /\.(ya?ml|json)$/.test(file.path) && !file.path.endsWith('slipway.lock.yaml'),
  );
  const contents = await source.read(id, files, io.signal);
  return files.map((file, index) => ({
    name: `${place.replace(/\/$/, '')}/${file.path}`,
    content: contents[index] ?? Buffer.alloc(0),
  }));
}

async function gathered(stream: AsyncIterable<Uint8Array>, name: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > MAX_FILE_BYTES) throw new SlipwayError('file-too-large', `${name} is over 1 MiB.`);
  }
  return Buffer.concat(chunks);
}

async function fetched(url: string, signal: AbortSignal): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]) });
    if (!response.ok || !response.body)
      throw new SlipwayError('source-unreachable', `${url} answers with ${response.status}.`, {
        hint: 'Check the URL.',
      });
    return await gathered(response.body, url);
  } catch (error) {
    if (error instanceof SlipwayError || signal.aborted) throw error;
    throw new SlipwayError('source-unreachable', `${url} cannot be read.`, {
      hint: 'Check the URL and the network.',
      cause: error,
    });
  }
}

interface Read<W> {
  readonly wanted: W[];
  readonly issues: Issue[];
  /** What of another program's config is not the same here. */
  readonly remarks: Remark[];
}

/** Every resource of the inputs, in order, or every issue. */
export function resourcesIn(inputs: readonly Input[]): Read<Wanted> {
  const parts = inputs.map(resourcesOf);
  const wanted = parts.flatMap((part) => part.wanted);
  const seen = new Map<string, Origin>();
  const twice = wanted.flatMap((one): Issue[] => {
    const address = `${one.kind}/${one.name}`;
    const first = seen.get(address);
    seen.set(address, one);
    return first ? [issueAt(one, 'duplicate-resource', `${address} stands at ${first.file}:${first.line}, too.`)] : [];
  });
  const { issues, remarks } = gather(parts);
  return { wanted, issues: [...issues, ...twice], remarks };
}

interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function resourcesOf({ name: file, content }: Input): Found {
  const text = Buffer.from(content)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1);
  const documents = documentsOf(text);
  // Documents are told off by the same reader that reads the config; lists of them are looked at item by item.
  const told = parseFile(file, content).issues.filter(({ line }) => {
    const document = documents.findLast(({ start, index }) => index === 0 || lines.linePos(start).line <= line);
    return !document || document.value === undefined || !isManyIn(document.value);
  });
  if (told.length > 0) return onlyIssues(told);
  return gather(documents.map((document) => inDocument(file, text, document, lines)));
}

/** A list, a List as Kubernetes has it, or lists under the names of kinds. */
function isManyIn(value: Json): boolean {
  if (!isMap(value)) return isList(value);
  return isListDocument(value) || !('apiVersion' in value || 'kind' in value);
}

const isListDocument = (value: JsonMap): boolean => value['kind'] === 'List' && isList(value['items']);

type Found = Read<Wanted & Origin>;

const only = (...wanted: (Wanted & Origin)[]): Found => ({ wanted, issues: [], remarks: [] });
const onlyIssues = (issues: Issue[]): Found => ({ wanted: [], issues, remarks: [] });

function inDocument(file: string, text: string, from: FileDocument, lines: LineCounter): Found {
  const { value, document } = from;
  const at = (path: readonly PropertyKey[]): Origin => ({ file, ...locate(document, lines, path, 'value') });
  const many = (items: readonly Json[], path: readonly PropertyKey[]): Found =>
    gather(items.map((item, index) => checkedItem(item, at([...path, index]))));
  if (value === undefined) return only();
  if (isList(value)) return many(value, []);
  if (!isMap(value)) return onlyIssues([issueAt(at([]), 'not-a-resource')]);
  if (isListDocument(value) && isList(value['items'])) return many(value['items'], ['items']);
  const address = addressIn(value);
  // Its own text, with its comments. Directives and a mark at its end belong to the file it was in.
  const own =
    document.directives?.yaml.explicit || /^\.\.\.$/m.test(textOf(text, from)) ? undefined : textOf(text, from);
  if (address) return only({ ...address, value, ...(own === undefined ? {} : { text: own }), ...at([]) });
  if ('apiVersion' in value || 'kind' in value)
    return onlyIssues([issueAt(at([]), 'missing-field', 'metadata.name is missing.')]);
  if (isOnlyMcpctl(value)) return fromOthers(value, at([]));
  return gather(
    Object.entries(value).map(([word, items]): Found => {
      const kind = findKind(word);
      if (!kind || !isList(items))
        return onlyIssues([
          kind ? issueAt(at([word]), 'wrong-type', `${word} must be a list.`) : unknownKey(word, at([word])),
        ]);
      return many(
        items.map((item) => (isMap(item) ? fromItem(kind.kind, item) : item)),
        [word],
      );
    }),
  );
}

/** The same lists as mcpctl has them: read as `slipway import` reads them. */
function fromOthers(value: JsonMap, origin: Origin): Found {
  const drafts = new Drafts();
  fromMcpctl(value, drafts);
  const documents = drafts.documents().flatMap((text) => documentsOf(text));
  const wanted = documents.flatMap(({ value: own }) => {
    const address = own === undefined ? undefined : addressIn(own);
    return own !== undefined && address ? [{ ...address, value: own, ...origin }] : [];
  });
  return { wanted, issues: [], remarks: drafts.remarks };
}

/** `{ name: github, url: … }` in the list `servers:`. What is no part of the metadata is the spec. */
function fromItem(kind: string, item: JsonMap): Json {
  const [meta, spec] = [true, false].map((wanted) =>
    Object.fromEntries(Object.entries(item).filter(([key]) => META.includes(key) === wanted)),
  );
  return { apiVersion: API_VERSION, kind, metadata: meta ?? {}, spec: spec ?? {} };
}

function checkedItem(value: Json, origin: Origin): Found {
  const text = isMap(value) ? mapLines(value).join('\n') : JSON.stringify(value);
  // The lines of the text made here mean nothing to whoever wrote the list: the item's own place does.
  const issues = parseFile(origin.file, Buffer.from(text)).issues.map((issue) => ({
    ...issue,
    line: origin.line,
    column: origin.column,
  }));
  const address = addressIn(value);
  if (issues.length > 0 || !address)
    return onlyIssues(issues.length > 0 ? issues : [issueAt(origin, 'not-a-resource')]);
  return only({ ...address, value, ...origin });
}

const gather = (parts: readonly Found[]): Found => ({
  wanted: parts.flatMap((part) => part.wanted),
  issues: parts.flatMap((part) => part.issues),
  remarks: parts.flatMap((part) => part.remarks),
});

function unknownKey(word: string, origin: Origin): Issue {
  const plurals = Object.values(KINDS).map(({ plural }) => plural);
  const nearest = suggest(word, plurals);
  return issueAt(
    origin,
    'unknown-kind',
    `${word} is neither a field of a resource nor a kind.`,
    nearest ? `Did you mean ${nearest}?` : `Lists of: ${plurals.join(', ')}.`,
  );
}

function issueAt(
  { file, line, column }: Origin,
  code: ErrorCode,
  message: string = ERRORS[code].meaning,
  hint: string = ERRORS[code].hint,
): Issue {
  return { file, line, column, path: '', code, message, hint };
}
