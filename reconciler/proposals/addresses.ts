/** Which resources a file's two versions do not have in common. */
import { parseAllDocuments } from 'yaml';
import { MAX_FILE_BYTES, PARSE_OPTIONS } from '../../schemas/parse.ts';
import { git, type GitOptions } from '../source/git-command.ts';

/** @returns addresses, as documents say them of themselves, right or wrong */
export async function documentsAt(options: GitOptions, path: string, before: string, after: string): Promise<string[]> {
  const [was, is] = await Promise.all([before, after].map((commit) => documentsIn(options, commit, path)));
  const addresses = new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])]);
  return [...addresses].filter((address) => was?.get(address) !== is?.get(address));
}

async function documentsIn(options: GitOptions, commit: string, path: string): Promise<Map<string, string>> {
  const text = await git(['cat-file', 'blob', `${commit}:${path}`], options).catch(() => '');
  if (text.length > MAX_FILE_BYTES) return new Map();
  return new Map(
    parseAllDocuments(text, PARSE_OPTIONS).flatMap((document): [string, string][] => {
      if (document.errors.length > 0) return [];
      const value = document.toJS({ maxAliasCount: 100 }) as { kind?: unknown; metadata?: { name?: unknown } } | null;
      const [kind, name] = [value?.kind, value?.metadata?.name];
      return typeof kind === 'string' && typeof name === 'string' ? [[`${kind}/${name}`, JSON.stringify(value)]] : [];
    }),
  );
}
