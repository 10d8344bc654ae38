/** Which files of a repository become part of a tree. Pure. Whoever pushes there decides what is in it: each guard names its attack. */
import { SlipwayError } from '../../schemas/errors.ts';
import { glob } from '../../schemas/glob.ts';
import type { WorkspaceSpec } from './spec.ts';

export interface Entry {
  readonly path: string;
  readonly id: string;
  readonly bytes: number;
  readonly type: 'file' | 'executable' | 'symlink' | 'submodule';
}

export interface Selected {
  readonly files: readonly Entry[];
  readonly bytes: number;
  readonly skipped: Readonly<Record<string, number>>;
}

/** Inode exhaustion: millions of empty files are as bad as one that is too large. */
const MAX_FILES = 200_000;

export type Limits = Pick<WorkspaceSpec, 'include' | 'exclude' | 'maxBytes' | 'maxFileBytes'>;

/** @throws SlipwayError workspace-too-large */
export function select(entries: Iterable<Entry>, limits: Limits): Selected {
  const isWanted = matcher(limits);
  const files: Entry[] = [];
  const skipped: Record<string, number> = {};
  let bytes = 0;
  for (const entry of entries) {
    if (!isWanted(entry.path)) continue;
    const reason = reasonAgainst(entry, limits);
    if (reason !== undefined) {
      skipped[reason] = (skipped[reason] ?? 0) + 1;
      continue;
    }
    files.push(entry);
    bytes += entry.bytes;
    // Disk exhaustion.
    if (bytes > limits.maxBytes) throw tooLarge(`Its files have more than the ${limits.maxBytes} bytes of maxSize.`);
    if (files.length > MAX_FILES) throw tooLarge(`It has more than ${MAX_FILES} files.`);
  }
  return { files, bytes, skipped };
}

export function matcher({ include, exclude }: Pick<Limits, 'include' | 'exclude'>): (path: string) => boolean {
  const [wanted, unwanted] = [include.map(glob), exclude.map(glob)];
  return (path) =>
    (wanted.length === 0 || wanted.some((matches) => matches(path))) && !unwanted.some((matches) => matches(path));
}

function reasonAgainst({ type, path, bytes }: Entry, { maxFileBytes }: Limits): string | undefined {
  // A link leads a reader out of the tree: to /etc/shadow, say.
  if (type === 'symlink') return 'symlink';
  // A submodule would be fetched from wherever the repository says, with this host's credentials.
  if (type === 'submodule') return 'submodule';
  if (bytes > maxFileBytes) return 'too-large';
  return isSafe(path) ? undefined : 'unsafe-path';
}

/** Path traversal; and a `.git` in the tree, whose hooks and config would run programs in the hands of the next git. */
function isSafe(path: string): boolean {
  const parts = path.split('/');
  return (
    Buffer.byteLength(path) <= 2048 &&
    parts.every(
      (part) =>
        part !== '' &&
        part !== '.' &&
        part !== '..' &&
        !/^(\.git|git~[0-9]+)$/i.test(part) &&
        Buffer.byteLength(part) <= 255,
    )
  );
}

const tooLarge = (message: string): SlipwayError => new SlipwayError('workspace-too-large', message);
