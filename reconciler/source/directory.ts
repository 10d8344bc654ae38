/** A plain folder as the config: watched, no git needed. Its revision is the hash of its content. */
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { compareText } from '../compile.ts';
import { git } from './git-command.ts';
import { isVisible, type Revision, type Source, type SourceFile } from './source.ts';

/** Editors write a file in several steps; changes within this time are one. */
const SETTLE_MS = 50;

interface Entry extends SourceFile {
  /** Changes whenever the content may have changed. */
  readonly stamp: string;
}

/** @param asCommitted as a commit of this working tree would be: without what git ignores, and what submodules hold */
export function directorySource(folder: string, { asCommitted = false } = {}): Source {
  const root = resolve(folder);
  let known = new Map<string, Entry>();

  /** Hashes only files whose size or time changed since the last look. */
  const scan = async (signal: AbortSignal): Promise<Entry[]> => {
    const leftOut = asCommitted ? await leftOutBy(root, signal) : () => false;
    const entries = await walk({ root, known, asCommitted, leftOut, signal }, '');
    known = new Map(entries.map((entry) => [entry.path, entry]));
    return entries;
  };
  const revisionOf = (entries: readonly Entry[]): string => {
    const hash = createHash('sha256');
    for (const entry of entries) hash.update(`${entry.path}\0${entry.id}\0${entry.type}\n`);
    return hash.digest('hex');
  };

  return {
    description: root,
    probe: async (signal) => revisionOf(await scan(signal)),
    async fetch(signal): Promise<Revision> {
      return { id: revisionOf(await scan(signal)), at: new Date().toISOString() };
    },
    files: async () => [...known.values()],
    read: (_revision, files, signal) =>
      Promise.all(
        files.map(async (file) => {
          const content = await readFile(join(root, file.path), { signal });
          // The plan must be of one state of the folder, so a file that changed meanwhile makes the pass start again.
          if (hashOf(content) !== file.id)
            throw new SlipwayError('source-unreachable', `${file.path} changed while it was read.`);
          return content;
        }),
      ),
    watch(listener) {
      let timer: NodeJS.Timeout | undefined;
      const watcher = watch(root, { recursive: true, persistent: false }, () => {
        clearTimeout(timer);
        timer = setTimeout(listener, SETTLE_MS);
      });
      watcher.on('error', () => {}); // The folder was removed: polling says so.
      return { [Symbol.dispose]: () => (clearTimeout(timer), watcher.close()) };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** What git would leave out of a commit; nothing where there is no git. */
async function leftOutBy(root: string, signal: AbortSignal): Promise<(path: string) => boolean> {
  const args = ['-C', root, 'ls-files', '--others', '--ignored', '--exclude-standard', '--directory', '-z'];
  const listed = await git(args, { signal }).catch(() => '');
  const ignored = new Set(listed.split('\0').map((path) => path.replace(/\/$/, '')));
  return (path) => ignored.has(path);
}

interface Walk {
  readonly root: string;
  readonly known: ReadonlyMap<string, Entry>;
  readonly asCommitted: boolean;
  readonly leftOut: (path: string) => boolean;
  readonly signal: AbortSignal;
}

async function walk(look: Walk, below: string): Promise<Entry[]> {
  const { root, known, leftOut, signal } = look;
  signal.throwIfAborted();
  let names: string[];
  try {
    names = (await readdir(join(root, below))).sort(compareText);
    // A repository in another one: a submodule, of which a commit has the name alone.
    if (look.asCommitted && below !== '' && names.includes('.git')) return [];
  } catch (error) {
    if (below !== '' && isGone(error)) return [];
    throw unreadable(root, below, error);
  }
  const entries: Entry[] = [];
  for (const name of names) {
    const path = below === '' ? name : `${below}/${name}`;
    if (!isVisible(path) || leftOut(path)) continue;
    const info = await lstat(join(root, path)).catch((error: unknown) => whenGone(root, path, error));
    if (info?.isDirectory()) {
      const inside = await walk(look, path);
      // Git knows no empty folders: what should be in it may not be mounted.
      entries.push(...(inside.length > 0 ? inside : [emptyFolder(path)]));
    } else if (info) entries.push(...(await entryOf(root, path, info, known.get(path))));
  }
  return entries;
}

const emptyFolder = (path: string): Entry => ({ path: `${path}/`, id: '', bytes: 0, type: 'opaque', stamp: '' });

type Info = Awaited<ReturnType<typeof lstat>>;

async function entryOf(root: string, path: string, info: Info, before: Entry | undefined): Promise<Entry[]> {
  const stamp = `${info.ino}:${info.size}:${Number(info.mtimeMs)}:${info.mode}`;
  const bytes = Number(info.size);
  // Links are never followed: one could lead anywhere on this host.
  if (info.isSymbolicLink()) return [{ path, id: stamp, bytes, type: 'symlink', stamp }];
  if (!info.isFile()) return [];
  if (before?.stamp === stamp) return [before];
  const content = await readFile(join(root, path)).catch((error: unknown) => whenGone(root, path, error));
  if (!content) return [];
  const type = (Number(info.mode) & 0o100) === 0 ? 'file' : 'executable';
  return [{ path, id: hashOf(content), bytes, type, stamp }];
}

/** What was removed while we looked is not there; whatever else cannot be read must not look like a deletion. */
function whenGone(root: string, path: string, error: unknown): undefined {
  if (!isGone(error)) throw unreadable(root, path, error);
  return undefined;
}

const isGone = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

function unreadable(root: string, path: string, error: unknown): SlipwayError {
  const code = path === '' ? 'path-not-found' : 'source-unreachable';
  const why = (error as NodeJS.ErrnoException).code ?? 'unknown';
  // Of the folder itself, which is a place that somebody named.
  const hint = path === '' ? { hint: 'Name a folder that is there: --repo, and --path below it.' } : {};
  return new SlipwayError(code, `${join(root, path)} cannot be read (${why}).`, { cause: error, ...hint });
}

/** git's own blob id, so that a plan of a working tree and one of its commit name the same content alike. */
const hashOf = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
