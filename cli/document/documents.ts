/** A YAML file as the documents it holds, with the text of each. */
import { parseAllDocuments, type Document } from 'yaml';
import { PARSE_OPTIONS } from '../../schemas/parse.ts';
import { isMap, toJson, type Json } from './json.ts';

export interface FileDocument {
  readonly index: number;
  readonly document: Document.Parsed;
  /** Where its text begins and ends in the file, `---` included. The first one has what stands above it, too. */
  readonly start: number;
  readonly end: number;
  /** Undefined where it has no content, or cannot be read. */
  readonly value: Json | undefined;
}

/** Every document of a file, the empty ones too. Bad YAML gives documents without a value. */
export function documentsOf(text: string): FileDocument[] {
  const documents = parseAllDocuments(text, { ...PARSE_OPTIONS, keepSourceTokens: true }) as Document.Parsed[];
  return documents.map((document, index) => ({
    index,
    document,
    start: index === 0 ? 0 : document.range[0],
    end: documents[index + 1]?.range[0] ?? text.length,
    value: valueOf(document),
  }));
}

/** `Server/github`, as a document says it of itself, right or wrong. */
export function addressIn(value: Json | undefined): { kind: string; name: string } | undefined {
  if (!isMap(value)) return undefined;
  const { kind, metadata } = value;
  const name = isMap(metadata) ? metadata['name'] : undefined;
  return typeof kind === 'string' && typeof name === 'string' ? { kind, name } : undefined;
}

/** The text of one document on its own: without the line that divides it from the one before. */
export function textOf(file: string, { start, end }: FileDocument): string {
  return file.slice(start, end).replace(/^---[ \t]*(\r?\n|$)/, '');
}

function valueOf(document: Document.Parsed): Json | undefined {
  if (document.errors.length > 0) return undefined;
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value === undefined || value === null ? undefined : toJson(value);
  } catch {
    return undefined; // An alias without its anchor, or one that expands for ever: checking says so, with its place.
  }
}
