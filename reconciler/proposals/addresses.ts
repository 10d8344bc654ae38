/** What two versions of a file do not have in common. */
import { parseAllDocuments } from 'yaml';
import { MAX_FILE_BYTES, PARSE_OPTIONS } from '../../schemas/parse.ts';
import { git, type GitOptions } from '../source/git-command.ts';

export interface Difference {
  /** Of resources, as documents say them of themselves, right or wrong. */
  readonly addresses: readonly string[];
  /** Whether either version holds something that is no resource: a program, an encrypted file. */
  readonly others: boolean;
}

export async function differenceIn(
  options: GitOptions,
  path: string,
  before: string,
  after: string,
): Promise<Difference> {
  if (!/\.ya?ml$/.test(path)) return { addresses: [], others: true };
  const [was, is] = await Promise.all([versionOf(options, before, path), versionOf(options, after, path)]);
  const addresses = new Set([...was.documents.keys(), ...is.documents.keys()]);
  return {
    addresses: [...addresses].filter((address) => was.documents.get(address) !== is.documents.get(address)),
    others: was.others || is.others,
  };
}

interface Version {
  /** By address, as JSON. */
  readonly documents: ReadonlyMap<string, string>;
  readonly others: boolean;
}

/** One that is not there has nothing in it. */
async function versionOf(options: GitOptions, commit: string, path: string): Promise<Version> {
  const text = await git(['cat-file', 'blob', `${commit}:${path}`], options).catch(() => '');
  if (text.length > MAX_FILE_BYTES) return { documents: new Map(), others: true };
  const documents = new Map<string, string>();
  let others = false;
  for (const document of parseAllDocuments(text, PARSE_OPTIONS)) {
    if (!('contents' in document) || (document.errors.length === 0 && document.contents === null)) continue;
    const value = (document.errors.length > 0 ? undefined : document.toJS({ maxAliasCount: 100 })) as
      | { kind?: unknown; metadata?: { name?: unknown } }
      | undefined;
    const [kind, name] = [value?.kind, value?.metadata?.name];
    if (typeof kind === 'string' && typeof name === 'string') documents.set(`${kind}/${name}`, JSON.stringify(value));
    else others = true;
  }
  return { documents, others };
}
