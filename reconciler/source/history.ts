/** What one commit changed, turned around: read from git's objects, without touching a working tree. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { git, type GitOptions } from './git-command.ts';
import { resolveCommit } from './git.ts';
import { isVisible } from './source.ts';

export interface RevertOptions {
  /** A working tree, or a bare repository. */
  readonly repository: string;
  /** What is to be built on: a commit as git names it. */
  readonly tip: string;
  /** A commit as git names it, or `-1` for the last one, `-2` for the one before … */
  readonly commit: string;
  /** Folder of the repo that holds the config; `''` for all of it. */
  readonly path: string;
  readonly signal: AbortSignal;
}

/** A file below the config path; null where there is none. */
export interface RevertedFile {
  readonly path: string;
  /** At the tip. */
  readonly now: string | null;
  /** Without what the commit did. */
  readonly reverted: string | null;
}

export interface Revert {
  readonly id: string;
  readonly subject: string;
  readonly files: readonly RevertedFile[];
  /** What the commit changed besides, which is no config. */
  readonly others: readonly string[];
}

/**
 * The tip without what a commit did, as `git revert` has it; of a merge, without all that it brought in.
 * @throws SlipwayError ref-not-found, conflict where a later commit changed the same lines, usage for what is not text
 */
export async function revertOf({ repository, tip, commit, path, signal }: RevertOptions): Promise<Revert> {
  const run = (args: readonly string[]): Promise<string> => git(['-C', repository, ...args], { signal });
  const id = await named(repository, tip, commit, signal);
  const [parents = '', subject = ''] = (await run(['log', '-1', '--no-show-signature', '--format=%P%x00%s', id]))
    .trimEnd()
    .split('\0');
  const [parent] = parents.split(' ');
  if (!parent) throw new SlipwayError('usage', `${id.slice(0, 8)} is the first commit: there is nothing before it.`);
  const listing = await run(['diff-tree', '-r', '-z', '--no-renames', '--full-index', parent, id]);
  const folder = path.replace(/^\.?\/+|\/+$/g, '').replace(/^\.$/, '');
  const prefix = folder === '' ? '' : `${folder}/`;
  const changes = changesIn(listing);
  const config = changes.filter((change) => change.path.startsWith(prefix) && isVisible(change.path));
  const files: RevertedFile[] = [];
  for (const change of config) files.push(await reverted(change, { id, tip, prefix, run, signal }));
  return { id, subject, files, others: changes.filter((one) => !config.includes(one)).map((one) => one.path) };
}

async function named(repository: string, tip: string, commit: string, signal: AbortSignal): Promise<string> {
  const back = /^-([1-9]\d{0,5})$/.exec(commit)?.[1];
  // A mirror has no HEAD of its own.
  const name = back === undefined ? commit.replace(/^HEAD(?![\w-])/, tip) : `${tip}~${Number(back) - 1}`;
  const id = await resolveCommit(repository, name, signal);
  const isBelow = id && (await isAncestor(repository, id, tip, signal));
  if (!id || !isBelow)
    throw new SlipwayError('ref-not-found', `The history of the config has no commit ${commit}.`, {
      hint: 'See `git log`. -1 is the last commit, -2 the one before.',
    });
  return id;
}

async function isAncestor(repository: string, id: string, tip: string, signal: AbortSignal): Promise<boolean> {
  const args = ['-C', repository, 'merge-base', '--is-ancestor', id, tip];
  const found = await git(args, { signal }).then(
    () => true,
    () => false,
  );
  signal.throwIfAborted();
  return found;
}

interface Change {
  readonly path: string;
  readonly before: Blob | undefined;
  readonly after: Blob | undefined;
}

interface Blob {
  readonly mode: string;
  readonly id: string;
}

/** Of git-diff-tree(1): `:<mode> <mode> <id> <id> <status>`, NUL, the path, NUL. */
function changesIn(listing: string): Change[] {
  const parts = listing.split('\0');
  return parts.flatMap((part, index): Change[] => {
    const [, was = '', is = '', from = '', to = ''] = /^:(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) /.exec(part) ?? [];
    const blob = (mode: string, id: string): Blob | undefined => (/^0+$/.test(mode) ? undefined : { mode, id });
    return was === '' ? [] : [{ path: parts[index + 1] ?? '', before: blob(was, from), after: blob(is, to) }];
  });
}

interface Where {
  readonly id: string;
  readonly tip: string;
  readonly prefix: string;
  readonly run: (args: readonly string[]) => Promise<string>;
  readonly signal: AbortSignal;
}

async function reverted({ path, before, after }: Change, where: Where): Promise<RevertedFile> {
  const { tip, prefix, run, signal } = where;
  const blobs = [before, after].filter((blob) => blob !== undefined);
  const isPlain = blobs.every(({ mode }) => mode === '100644' || (mode === '100755' && before?.mode === after?.mode));
  const now = blobAt(await run(['ls-tree', '-z', '--full-tree', tip, '--', path]));
  const text = async (blob: Blob | undefined): Promise<string | null> =>
    blob === undefined ? null : textOf(path, await run(['cat-file', 'blob', blob.id]));
  if (!isPlain) throw notText(path);
  const [was, is, here] = [await text(before), await text(after), await text(now)];
  const file = { path: path.slice(prefix.length), now: here };
  if (here === is || here === was) return { ...file, reverted: was };
  if (here === null || is === null || was === null) throw changedSince(path, where);
  const both = await merged([here, is, was], signal).catch(() => undefined);
  signal.throwIfAborted();
  if (both === undefined) throw changedSince(path, where);
  return { ...file, reverted: both };
}

function blobAt(listing: string): Blob | undefined {
  const [, mode, id] = /^(\d+) blob ([0-9a-f]+)\t/.exec(listing) ?? [];
  return mode === undefined || id === undefined ? undefined : { mode, id };
}

function textOf(path: string, content: string): string {
  // What git's bytes were not UTF-8 for, or what no editor shows.
  if (/[\0\uFFFD]/.test(content)) throw notText(path);
  return content;
}

const notText = (path: string): SlipwayError =>
  new SlipwayError('usage', `${path} is not plain text, or the commit changed what kind of file it is.`, {
    hint: 'Use `git revert`.',
  });

const changedSince = (path: string, { id }: Where): SlipwayError =>
  new SlipwayError('conflict', `${path} was changed in the same place since commit ${id.slice(0, 8)}.`, {
    hint: 'Undo the later commit first, or change it by hand with `slipway edit`.',
  });

/** Three ways: what is here, what the commit made, what was before it. @throws where they cannot be brought together */
async function merged(texts: readonly [string, string, string], signal: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-revert-'));
  try {
    const paths = texts.map((_, index) => join(folder, String(index)));
    for (const [index, text] of texts.entries()) await writeFile(paths[index] as string, text, { mode: 0o600 });
    const options: GitOptions = { signal };
    return await git(['merge-file', '--stdout', '--quiet', ...paths], options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
