/** Config files with resources put in, changed or taken out. What is not about them stays as it is, comments included. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { isMap, isSeq, parseAllDocuments, stringify, type Document } from 'yaml';
import { SlipwayError } from '../../schemas/errors.ts';
import { findKind } from '../../schemas/kinds/index.ts';
import { PARSE_OPTIONS } from '../../schemas/parse.ts';
import { isRecord } from '../../schemas/record.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import { MASK } from '../../schemas/sensitive.ts';

type Value = Readonly<Record<string, unknown>>;

export interface Wish {
  readonly resources: readonly Value[];
  /** Addresses. */
  readonly remove: readonly string[];
}

/** New contents by path, null where the file goes. */
export type Edits = ReadonlyMap<string, string | null>;

/**
 * @param known the resources that are there, with the files they come from
 * @param read the content of a file
 * @throws SlipwayError invalid-value for what is no resource, not-found for one to remove that is not there
 */
export function edited(wish: Wish, known: readonly Resource[], read: (file: string) => string): Edits {
  const edits = new Map<string, string | null>();
  const where = new Map(known.map((resource) => [addressOf(resource), resource.source.file]));
  const change = (file: string, work: (sheet: Sheet) => void): void => {
    const before = edits.get(file);
    const sheet = new Sheet(before === undefined ? read(file) : (before ?? ''));
    work(sheet);
    edits.set(file, sheet.text);
  };
  for (const value of wish.resources) {
    const { address, path } = placeOf(value);
    const file = where.get(address);
    if (file === undefined) {
      edits.set(path, `${edits.get(path) ?? ''}${edits.has(path) ? '---\n' : ''}${stringify(value)}`);
      where.set(address, path);
    } else change(file, (sheet) => sheet.say(address, value));
  }
  for (const address of wish.remove) {
    const file = where.get(address);
    if (file === undefined) throw new SlipwayError('not-found', `There is no ${address}.`);
    change(file, (sheet) => sheet.remove(address));
  }
  return edits;
}

/** Where a new resource goes. Path traversal: it is made of a kind's and a resource's checked names, never of anything else. */
function placeOf(value: Value): { address: string; path: string } {
  const kind = findKind(String(value['kind']));
  const name = (value['metadata'] as { name?: unknown } | undefined)?.name;
  if (!kind || kind.kind !== value['kind'])
    throw new SlipwayError('invalid-value', `There is no kind ${String(value['kind']).slice(0, 64)}.`);
  if (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw new SlipwayError('invalid-value', `A ${kind.kind} needs a metadata.name of a–z, 0–9 and -.`);
  return { address: `${kind.kind}/${name}`, path: `${kind.plural}/${name}.yaml` };
}

/** The documents of one file. */
class Sheet {
  #parts: { readonly address: string; text: string }[];

  constructor(text: string) {
    const documents = documentsIn(text);
    this.#parts = documents.map((document, at) => ({
      address: addressIn(document),
      text: text.slice(at === 0 ? 0 : (documents[at - 1]?.range[2] ?? 0), document.range[2]),
    }));
  }

  /** null for nothing left. */
  get text(): string | null {
    const text = this.#parts.map((part) => part.text).join('');
    return this.#parts.every(({ address }) => address === '') ? null : text.replace(/^---\n/, '');
  }

  say(address: string, value: Value): void {
    const part = this.#parts.find((one) => one.address === address);
    const [document] = part ? documentsIn(part.text) : [];
    if (!part || !document) return;
    if (!become(document, [], document.toJS(), value)) return;
    part.text = String(document);
    if (part !== this.#parts[0] && !part.text.startsWith('---')) part.text = `---\n${part.text}`;
  }

  remove(address: string): void {
    this.#parts = this.#parts.filter((part) => part.address !== address);
  }
}

const documentsIn = (text: string): Document.Parsed[] => parseAllDocuments(text, PARSE_OPTIONS) as Document.Parsed[];

function addressIn(document: Document): string {
  const value = document.toJS() as { kind?: unknown; metadata?: { name?: unknown } } | null;
  return typeof value?.kind === 'string' && typeof value.metadata?.name === 'string'
    ? `${value.kind}/${value.metadata.name}`
    : '';
}

/**
 * The least that makes it say that: what is the same, and with it its comments, stays. A mask hides a value that stays.
 * @returns whether anything is not the same
 */
function become(document: Document, path: readonly (string | number)[], before: unknown, after: unknown): boolean {
  if (after === MASK || isDeepStrictEqual(before, after)) return false;
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  if (Array.isArray(before) && Array.isArray(after) && isSeq(node)) {
    for (let at = before.length - 1; at >= after.length; at--) document.deleteIn([...path, at]);
    for (const [at, value] of after.entries())
      if (at < before.length) become(document, [...path, at], before[at], value);
      else document.addIn(path, document.createNode(value));
    return true;
  }
  if (!isRecord(before) || !isRecord(after) || !isMap(node)) {
    // A plain value takes the place of the other within its node, which has the comment.
    document.setIn(path, typeof after === 'object' ? document.createNode(after) : after);
    return true;
  }
  const gone = Object.keys(before).filter((key) => !(key in after));
  for (const key of gone) document.deleteIn([...path, key]);
  const changes = Object.entries(after).map(([key, value]) => become(document, [...path, key], before[key], value));
  return gone.length > 0 || changes.includes(true);
}
