/** What can be done to a draft: a resource said anew, or taken out. */
import { SlipwayError } from '../../schemas/errors.ts';
import { conform } from '../document/conform.ts';
import { documentsOf, type FileDocument } from '../document/documents.ts';
import { isMap, same, type Json } from '../document/json.ts';
import { keep } from '../document/keep.ts';
import { unmasked } from '../document/meaning.ts';
import { mapLines } from '../document/render.ts';
import type { Draft, Located } from './draft.ts';
import { fileFor, headerFor, withDocument } from './place.ts';

/** What came of one resource. */
export interface Outcome {
  readonly kind: string;
  readonly name: string;
  readonly file: string;
  /** `created`, `configured`, `unchanged`, `deleted` … */
  readonly verb: string;
}

/** A resource as it is to be: a whole document. */
export interface Wanted {
  readonly kind: string;
  readonly name: string;
  readonly value: Json;
  /** As somebody wrote it down, with its comments: a new file gets it so. */
  readonly text?: string;
}

/** The document afterwards says what is wanted; where none does, a new one is made. */
export async function say(draft: Draft, wanted: Wanted, file?: string): Promise<Outcome> {
  const found = await draft.find(wanted.kind, wanted.name);
  if (found) return resay(draft, found, wanted);
  const { kind, name } = wanted;
  const value = unmasked(wanted.value, undefined);
  const path = fileFor(draft, kind, name, file);
  const document = wanted.text ?? (isMap(value) ? `${mapLines(value).join('\n')}\n` : '');
  await draft.write(path, withDocument(await draft.read(path), document, await headerFor(draft, path)));
  return { kind, name, file: path, verb: 'created' };
}

async function resay(draft: Draft, located: Located, wanted: Wanted): Promise<Outcome> {
  const { kind, name } = wanted;
  const { file, text, document } = located;
  const value = unmasked(wanted.value, document.value);
  const now = { written: document.value, means: draft.meaning(document.value) };
  const wish = { written: value, means: draft.meaning(value) };
  const kept = now.means && wish.means ? (keep(now, wish) ?? value) : value;
  // Whatever is kept must not change what is said.
  const said = wish.means === undefined || same(draft.meaning(kept), wish.means) ? kept : value;
  if (same(said, document.value)) return { kind, name, file, verb: 'unchanged' };
  // On its own: in a file of a thousand documents, the others need not be read for it.
  draft.replace(located, conform(text.slice(document.start, document.end), 0, said));
  return { kind, name, file, verb: 'configured' };
}

/** Takes a document out of its file, and the file away where it was the only one. */
export async function remove(draft: Draft, { file, text, document: { index } }: Located): Promise<void> {
  const documents = documentsOf(text);
  const others = documents.filter(
    ({ index: at, value, document: { errors } }) => at !== index && (value !== undefined || errors.length > 0),
  );
  if (others.length === 0) return draft.write(file, null);
  const after = without(text, documents[index] as FileDocument);
  const left = documentsOf(after).filter(({ value }) => value !== undefined);
  const expected = others.filter(({ value }) => value !== undefined);
  if (
    !same(
      left.map(({ value }) => value),
      expected.map(({ value }) => value),
    )
  )
    throw new SlipwayError('internal', `The document could not be taken out of ${file}.`);
  return draft.write(file, after);
}

/** What stands on top of a file belongs to the file: the line for editors, and comments with an empty line below them. */
function without(text: string, { index, start, end, document }: FileDocument): string {
  if (index > 0) return text.slice(0, start) + text.slice(end);
  const head = text.slice(0, document.range[0]);
  const own =
    /^(\uFEFF?(?:[ \t]*#[^\n]*\n)*\r?\n)/.exec(head)?.[1] ??
    /^\uFEFF?# yaml-language-server:[^\n]*\n/.exec(head)?.[0] ??
    '';
  const rest = text.slice(end);
  const isDivided = head.slice(own.length).startsWith('---') || document.directives?.docStart === true;
  return own + (isDivided ? rest : rest.replace(/^---[ \t]*\r?\n/, ''));
}
