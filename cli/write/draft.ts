/** What a config would be: its files with the changes that are asked for, before any of it is written. */
import { createHash } from 'node:crypto';
import {
  expanded,
  load,
  memoryParseCache,
  type Loaded,
  type ParseCache,
  type Source,
  type SourceFile,
} from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Resource } from '../../schemas/resource.ts';
import { kindOf } from '../../schemas/kinds/index.ts';
import { addressIn, documentsOf, type FileDocument } from '../document/documents.ts';
import { isMap, toJson, type Json, type JsonMap } from '../document/json.ts';
import { meaningOf } from '../document/meaning.ts';

/** Content by path below the config path; null where the file goes. */
export type Changes = ReadonlyMap<string, string | null>;

/** A document of the config, whether or not it is valid. */
export interface Located {
  readonly file: string;
  readonly text: string;
  readonly document: FileDocument;
}

export class Draft {
  readonly revision: string;
  readonly tree: readonly SourceFile[];
  /** What is there before any change. */
  readonly base: Loaded;
  readonly #source: Source;
  readonly #cache: ParseCache;
  readonly #signal: AbortSignal;
  readonly #before = new Map<string, string>();
  readonly #after = new Map<string, string | null>();
  readonly #programs = new Set<string>();
  readonly #parsed = new Map<string, { text: string; documents: readonly FileDocument[] }>();

  private constructor(read: {
    source: Source;
    id: string;
    tree: readonly SourceFile[];
    base: Loaded;
    cache: ParseCache;
    signal: AbortSignal;
  }) {
    this.revision = read.id;
    this.tree = read.tree;
    this.base = read.base;
    this.#source = read.source;
    this.#cache = read.cache;
    this.#signal = read.signal;
  }

  static async open(source: Source, signal: AbortSignal): Promise<Draft> {
    const { id } = await source.fetch(signal);
    const cache = memoryParseCache();
    const [tree, base] = [await source.files(id, signal), await load(source, id, cache, signal)];
    return new Draft({ source, id, tree, base, cache, signal });
  }

  /** @returns undefined where there is no such file */
  async read(path: string): Promise<string | undefined> {
    const changed = this.#after.get(path);
    if (changed !== undefined) return changed ?? undefined;
    const known = this.#before.get(path);
    if (known !== undefined) return known;
    const file = this.tree.find((entry) => entry.path === path && entry.type !== 'symlink');
    if (!file) return undefined;
    const [content] = await this.#source.read(this.revision, [file], this.#signal);
    const text = decode(path, content ?? Buffer.alloc(0));
    this.#before.set(path, text);
    return text;
  }

  /** @param executable whether a new file is a program */
  async write(path: string, text: string | null, executable = false): Promise<void> {
    await this.read(path);
    this.#after.set(path, text);
    if (executable) this.#programs.add(path);
  }

  /** Whether it is a program, or is to be one. */
  isExecutable(path: string): boolean {
    return this.#programs.has(path) || this.tree.find((file) => file.path === path)?.type === 'executable';
  }

  /** Another text for one document of a file. */
  replace({ file, text, document: { index, start, end } }: Located, own: string): void {
    const delta = own.length - (end - start);
    const whole = text.slice(0, start) + own + text.slice(end);
    const documents = this.#documents(file, text).map((one): FileDocument => {
      if (one.index === index) return { ...one, ...documentsOf(own)[0], index, start, end: end + delta };
      return one.index < index ? one : { ...one, start: one.start + delta, end: one.end + delta };
    });
    this.#parsed.set(file, { text: whole, documents });
    this.#after.set(file, whole);
  }

  async find(kind: string, name: string): Promise<Located | undefined> {
    for (const file of this.#candidates(kind, name)) {
      const text = await this.read(file);
      const document = this.#documents(file, text ?? '').find(({ value }) => {
        const address = addressIn(value);
        return address?.kind === kind && address.name === name;
      });
      if (text !== undefined && document) return { file, text, document };
    }
    return undefined;
  }

  /** Of many resources in one file, each is looked for. */
  #documents(file: string, text: string): readonly FileDocument[] {
    const known = this.#parsed.get(file);
    if (known?.text === text) return known.documents;
    const documents = documentsOf(text);
    this.#parsed.set(file, { text, documents });
    return documents;
  }

  /** Where it may stand: where it was read, or in a file that was changed, or that could not be read as a whole. */
  #candidates(kind: string, name: string): Set<string> {
    const known = this.base.resources.filter((resource) => resource.kind === kind && resource.metadata.name === name);
    return new Set([
      ...known.map(({ source }) => source.file),
      ...this.#after.keys(),
      ...this.base.issues.map(({ file }) => file),
    ]);
  }

  /** The files that differ, with what they were. */
  changes(): { readonly before: ReadonlyMap<string, string>; readonly after: Changes } {
    const differing = [...this.#after].filter(([path, text]) => (this.#before.get(path) ?? null) !== text);
    return { before: this.#before, after: new Map(differing.sort(([a], [b]) => (a < b ? -1 : 1))) };
  }

  /** The config as it would be, with every issue it would have. */
  check(): Promise<Loaded> {
    const { after } = this.changes();
    const source: Source = {
      ...this.#source,
      files: async () => [
        ...this.tree.filter(({ path }) => !after.has(path)),
        ...[...after].flatMap(([path, text]): SourceFile[] => (text === null ? [] : [this.#entry(path, text)])),
      ],
      read: async (revision, files, signal) => {
        const old = files.filter(({ path }) => !after.has(path));
        const contents = await this.#source.read(revision, old, signal);
        return files.map(({ path }) => {
          const text = after.get(path);
          return typeof text === 'string'
            ? Buffer.from(text)
            : (contents[old.findIndex((file) => file.path === path)] ?? Buffer.alloc(0));
        });
      },
    };
    return load(source, this.revision, this.#cache, this.#signal);
  }

  #entry(path: string, text: string): SourceFile {
    const type = this.isExecutable(path)
      ? 'executable'
      : (this.tree.find((file) => file.path === path)?.type ?? 'file');
    return { path, id: createHash('sha256').update(text).digest('hex'), bytes: Buffer.byteLength(text), type };
  }

  /** What a document means, made of its Template where it names one; undefined where it is not valid. */
  meaning(value: Json | undefined): JsonMap | undefined {
    const plain = meaningOf(value);
    if (!plain || !isMap(value)) return plain;
    const { kind, metadata, spec } = plain as unknown as Resource;
    const resource = { kind, metadata, spec, written: value['spec'], source: { file: '', line: 1, column: 1 } };
    const made = kindOf(kind)?.templateOf?.(spec) && expanded([...this.of('Template'), resource]).resources.at(-1);
    return made ? (toJson({ ...plain, metadata: made.metadata, spec: made.spec }) as JsonMap) : plain;
  }

  /** Resources of a kind, as they are before any change. */
  of(kind: string): readonly Resource[] {
    return this.base.resources.filter((resource) => resource.kind === kind);
  }
}

/** A byte-order mark stays where it is. */
function decode(path: string, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new SlipwayError('not-utf8', `${path} is not UTF-8 text.`);
  }
}
