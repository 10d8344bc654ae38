/** Brings what a backup holds back into a draft of the config: files as they were, or resource by resource. */
import type { Source, SourceFile } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { kindOf } from '../../schemas/kinds/index.ts';
import { addressIn, documentsOf, textOf, type FileDocument } from '../document/documents.ts';
import { isMap, type Json } from '../document/json.ts';
import { blanked, meaningOf } from '../document/meaning.ts';
import { say, type Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { mergePatch } from '../write/patch.ts';

/** What becomes of what is in the config and in the backup. What only the config has stays, in any case. */
export const STRATEGIES = ['merge', 'skip', 'overwrite'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface Restore {
  readonly source: Source;
  /** Of the backup. */
  readonly commit: string;
  readonly strategy: Strategy;
  /** `Server/github`; absent: all. */
  readonly only?: { readonly kind: string; readonly name: string };
  readonly signal: AbortSignal;
}

export interface Restored {
  readonly outcomes: readonly Outcome[];
  /** Values that no backup has, left empty: `Server/github spec.env.API_KEY.value`. */
  readonly missing: readonly string[];
}

interface Stored extends Pick<SourceFile, 'path' | 'type'> {
  readonly text: string;
  /** Of resources; empty where the file holds something else. */
  readonly documents: readonly FileDocument[];
}

/** @throws SlipwayError not-found where the backup does not have what is wanted */
export async function restore(draft: Draft, wanted: Restore): Promise<Restored> {
  const { only } = wanted;
  const files = await readAll(wanted);
  const missing: string[] = [];
  const outcomes: Outcome[] = [];
  const isWanted = ({ value }: FileDocument): boolean => {
    const address = addressIn(value);
    return !only || (address?.kind === only.kind && address.name === only.name);
  };
  const chosen = files.filter(({ documents }) => documents.some(isWanted));
  if (only && chosen.length === 0)
    throw new SlipwayError('not-found', `The backup has no ${only.kind} named ${only.name}.`, {
      hint: 'See `slipway backup diff` for what it has.',
    });
  const belonging = new Set(
    chosen.flatMap(({ documents }) => documents.filter(isWanted).flatMap(({ value }) => filesOf(value))),
  );
  for (const file of files) {
    if (file.documents.length > 0) continue;
    if (!only || belonging.has(file.path)) outcomes.push(await putFile(draft, file, wanted.strategy));
  }
  for (const file of chosen) {
    const isWhole = !only && (await isGone(draft, file));
    if (isWhole) outcomes.push(...(await putWhole(draft, file)));
    else
      for (const document of file.documents.filter(isWanted))
        outcomes.push(await putResource(draft, file, document, wanted.strategy, missing));
  }
  return { outcomes, missing };
}

async function readAll({ source, commit, signal }: Restore): Promise<Stored[]> {
  const tree = (await source.files(commit, signal)).filter(({ type }) => type === 'file' || type === 'executable');
  const contents = await source.read(commit, tree, signal);
  return tree.map(({ path, type }, index) => {
    // Path traversal: whoever can push backups must not be able to write elsewhere.
    if (path.split('/').some((part) => part === '' || part.startsWith('.')))
      throw new SlipwayError('usage', `The backup has a file with the path ${path}.`);
    const text = contents[index]?.toString('utf8') ?? '';
    const documents = /\.ya?ml$/.test(path) ? documentsOf(text).filter(({ value }) => addressIn(value)) : [];
    return { path, type, text, documents };
  });
}

/** Neither the file nor any resource of it is there: it comes back as it was, comments and all. */
async function isGone(draft: Draft, { path, documents }: Stored): Promise<boolean> {
  if ((await draft.read(path)) !== undefined) return false;
  for (const { value } of documents) {
    const address = addressIn(value);
    if (address && (await draft.find(address.kind, address.name))) return false;
    if (value !== undefined && blanked(value).paths.length > 0) return false;
  }
  return true;
}

async function putWhole(draft: Draft, { path, text, type, documents }: Stored): Promise<Outcome[]> {
  await draft.write(path, text, type === 'executable');
  return documents.flatMap(({ value }) => {
    const address = addressIn(value);
    return address ? [{ ...address, file: path, verb: 'restored' }] : [];
  });
}

async function putFile(draft: Draft, { path, text, type }: Stored, strategy: Strategy): Promise<Outcome> {
  const now = await draft.read(path);
  const outcome = { kind: 'File', name: path, file: path };
  if (now === text) return { ...outcome, verb: 'unchanged' };
  if (now !== undefined && strategy === 'skip') return { ...outcome, verb: 'skipped' };
  await draft.write(path, text, type === 'executable');
  return { ...outcome, verb: 'restored' };
}

async function putResource(
  draft: Draft,
  { path, text }: Stored,
  document: FileDocument,
  strategy: Strategy,
  missing: string[],
): Promise<Outcome> {
  const { value } = document;
  const address = addressIn(value);
  if (!address || value === undefined) throw new TypeError('only documents of resources come here');
  const found = await draft.find(address.kind, address.name);
  if (found && strategy === 'skip') return { ...address, file: found.file, verb: 'skipped' };
  if (found) {
    const wish = strategy === 'merge' ? mergePatch(found.document.value, value) : value;
    const outcome = await say(draft, { ...address, value: wish });
    return outcome.verb === 'unchanged' ? outcome : { ...outcome, verb: 'restored' };
  }
  const { value: whole, paths } = blanked(value);
  missing.push(...paths.map((field) => `${address.kind}/${address.name} ${field}`));
  const own = paths.length === 0 ? { text: textOf(text, document) } : {};
  return { ...(await say(draft, { ...address, value: whole, ...own }, path)), verb: 'restored' };
}

function filesOf(value: Json | undefined): string[] {
  const meaning = meaningOf(value);
  const kind = isMap(meaning) ? kindOf(String(meaning['kind'])) : undefined;
  return (kind?.files?.(meaning?.['spec'] as never) ?? []).map(({ file }) => file);
}
