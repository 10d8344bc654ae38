/**
 * What a backup holds: the files of the config at the commit that is in force, as they stand there, and what they come to.
 * No secret in clear: what is encrypted stays so, and a value that somebody wrote down in clear is masked.
 */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { MAX_FILE_BYTES } from '../../schemas/parse.ts';
import { API_VERSION, type Resource } from '../../schemas/resource.ts';
import type { CommitInfo } from '../../schemas/status.ts';
import { maskedResource } from '../diff.ts';
import type { TreeFile } from '../record/outbox.ts';
import type { Source } from '../source/source.ts';
import { maskedText, type MaskedField } from './mask.ts';
import { utf8 } from './text.ts';
import { workspaceFiles, type Lender } from './workspace-files.ts';

/** Where the files of the config are in a backup. */
export const CONFIG = 'config/';
export const EFFECTIVE = 'effective.yaml';
export const MANIFEST = 'backup.json';

/** `backup.json`. */
export interface Manifest {
  readonly formatVersion: 1;
  /** `20261121T030000Z`: it stays, whatever becomes of the commit's id. */
  readonly name: string;
  /** ISO 8601. */
  readonly at: string;
  readonly commit: CommitInfo;
  readonly source: string;
  readonly environment?: string;
  readonly version: string;
  readonly resources: number;
  /** SHA-256 of each file beside this one, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** Files of the config that are not in it. */
  readonly left: readonly { readonly path: string; readonly reason: string }[];
  /** Values that are not in it. */
  readonly masked: readonly MaskedField[];
  /** Number and hash of the last line of the audit log. */
  readonly audit?: { readonly events: number; readonly head: string };
}

export interface Wanted {
  readonly source: Source;
  readonly commit: CommitInfo;
  /** In force: with templates and overlays applied. */
  readonly resources: readonly Resource[];
  /** Names of workspaces whose files belong to it, and who lends them. */
  readonly workspaces: readonly string[];
  readonly lender: Lender | undefined;
  readonly signal: AbortSignal;
}

export interface Contents extends Pick<Manifest, 'files' | 'left' | 'masked'> {
  readonly tree: readonly TreeFile[];
  /** SHA-256 of all of it: the same config, the same digest. */
  readonly digest: string;
}

/** One sort of thing that is backed up; another sort is a line in {@link PARTS}. */
type Part = (wanted: Wanted) => Promise<Pick<Contents, 'tree' | 'left' | 'masked'>>;

const PARTS: readonly Part[] = [configFiles, effective, workspaceData];

/** @throws SlipwayError where the source cannot be read */
export async function contentsOf(wanted: Wanted): Promise<Contents> {
  const parts = await Promise.all(PARTS.map((part) => part(wanted)));
  const tree = parts.flatMap((part) => part.tree).sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = Object.fromEntries(tree.map(({ path, content }) => [path, sha256(content)]));
  const modes = tree.flatMap(({ path, executable }) => (executable ? [path] : []));
  return {
    tree,
    files,
    left: parts.flatMap(({ left }) => left),
    masked: parts.flatMap(({ masked }) => masked),
    digest: sha256(JSON.stringify([files, modes])),
  };
}

async function configFiles({ source, commit, signal }: Wanted) {
  const all = await source.files(commit.id, signal);
  const left: Manifest['left'][number][] = [];
  const wanted = all.filter(({ path, type, bytes }) => {
    const reason =
      type === 'symlink'
        ? 'a link'
        : type === 'opaque'
          ? 'not a file'
          : bytes > MAX_FILE_BYTES
            ? 'over 1 MiB'
            : undefined;
    if (reason !== undefined) left.push({ path, reason });
    return reason === undefined;
  });
  const contents = await source.read(commit.id, wanted, signal);
  const masked: MaskedField[] = [];
  const tree = wanted.flatMap(({ path, type }, index): TreeFile[] => {
    const text = utf8(contents[index] ?? Buffer.alloc(0));
    if (text === undefined) left.push({ path, reason: 'not text' });
    if (text === undefined) return [];
    const safe = /\.ya?ml$/.test(path) ? maskedText(path, text) : { text, fields: [] };
    masked.push(...safe.fields);
    return [{ path: CONFIG + path, content: safe.text, ...(type === 'executable' ? { executable: true } : {}) }];
  });
  return { tree, left, masked };
}

async function effective({ resources }: Wanted) {
  const documents = resources
    .map(maskedResource)
    .map(({ kind, metadata, spec }) => stringify({ apiVersion: API_VERSION, kind, metadata, spec }, { lineWidth: 0 }));
  return { tree: [{ path: EFFECTIVE, content: documents.join('---\n') }], left: [], masked: [] };
}

async function workspaceData({ workspaces, lender, signal }: Wanted) {
  return { ...(await workspaceFiles(workspaces, lender, signal)), masked: [] };
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
