/** Reads the files of the config repo that are part of a resource, so that the resource says all there is to know of it. */
import { isUtf8 } from 'node:buffer';
import { kindOf } from '../schemas/kinds/index.ts';
import { ERRORS, type ErrorCode } from '../schemas/errors.ts';
import type { FileReference } from '../schemas/kinds/kind.ts';
import { MAX_PROMPT } from '../schemas/kinds/prompt.ts';
import { MAX_FILE_BYTES } from '../schemas/parse.ts';
import { formatPath, type Issue, type Resource } from '../schemas/resource.ts';
import { readSops, valuesOf } from './secrets/sops/read.ts';
import { moduleOf } from './module.ts';
import { Unavailable } from './secrets/unavailable.ts';
import type { Source, SourceFile } from './source/source.ts';

export interface TakenIn {
  readonly resources: readonly Resource[];
  readonly issues: readonly Issue[];
  /** Files that are parts of resources, and so are no config of their own. */
  readonly parts: ReadonlySet<string>;
}

interface Reader {
  /** Without a key: what is encrypted stays so. @throws Unavailable */
  read(file: string, bytes: Buffer): Readonly<Record<string, string>>;
  /** What a file is told to be that cannot be read so. */
  readonly code: ErrorCode;
}

/** How to read a file, by what a kind calls it. */
const READERS: Readonly<Record<NonNullable<FileReference['content']>, Reader>> = {
  sops: { code: 'sops-invalid', read: (file, bytes) => valuesOf(readSops(file, bytes.toString('utf8'))) },
  module: { code: 'invalid-value', read: (file, bytes) => ({ text: moduleOf(file, bytes.toString('utf8')) }) },
  text: { code: 'file-too-large', read: (_file, bytes) => ({ text: bytes.toString('utf8') }) },
  prompt: { code: 'invalid-value', read: (_file, bytes) => ({ text: plain(bytes) }) },
};

/** A whole file as a text for models. */
function plain(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Unavailable('it is not UTF-8 text', 'Save the file as UTF-8.');
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  if (text.trim() === '') throw new Unavailable('it is empty', 'Write the text into it.');
  if (text.length > MAX_PROMPT) throw new Unavailable(`it is over ${MAX_PROMPT} characters`, 'Split it.');
  return text;
}

/** Files of the config repo that are part of a resource. */
export const partsOf = (resource: Resource): string[] =>
  (kindOf(resource.kind)?.files?.(resource.spec) ?? []).flatMap(({ content, file }) => (content ? [file] : []));

/** A file that is not there is told elsewhere. Resources come in the order of those that were given. @throws SlipwayError when the source cannot be read */
export async function takeIn(
  resources: readonly Resource[],
  {
    source,
    revision,
    tree,
    signal,
  }: { source: Source; revision: string; tree: readonly SourceFile[]; signal: AbortSignal },
): Promise<TakenIn> {
  const wanted = resources.flatMap((resource) =>
    (kindOf(resource.kind)?.files?.(resource.spec) ?? []).flatMap(({ content, ...reference }) =>
      content ? [{ resource, content, ...reference }] : [],
    ),
  );
  if (wanted.length === 0) return { resources, issues: [], parts: new Set() };
  const parts = new Set(wanted.map(({ file }) => file));
  const there = tree.filter(({ path, type }) => parts.has(path) && (type === 'file' || type === 'executable'));
  const found = there.filter(({ bytes }) => bytes <= MAX_FILE_BYTES);
  const contents = await source.read(revision, found, signal);
  const texts = new Map(found.map(({ path }, index) => [path, contents[index] ?? Buffer.alloc(0)]));
  const issues: Issue[] = [];
  const filled = new Map(resources.map((resource) => [resource, resource]));
  for (const { resource, path, file, content } of wanted) {
    const text = texts.get(file);
    if (text === undefined && !there.some((entry) => entry.path === file)) continue;
    try {
      if (text === undefined) throw new Unavailable('it is over 1 MiB');
      const values = READERS[content].read(file, text);
      filled.set(resource, { ...resource, files: { ...filled.get(resource)?.files, [file]: values } });
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const { code } = READERS[content];
      const hint = error.hint ?? ERRORS[code].hint;
      const message = `${file}: ${error.message}.`;
      issues.push({ ...resource.source, path: formatPath(['spec', ...path]), code, message, hint });
    }
  }
  return { resources: [...filled.values()], issues, parts };
}
