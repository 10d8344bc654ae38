/**
 * Records on their way to git: written here first, so that an unreachable remote, a full quota or a crash loses none,
 * and deleted only when the remote has them.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile, writeAtomically } from '../state.ts';

export interface Entry {
  /** Sorts by time: `20261121T104501123Z-1a2b3c4d`. */
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly subject: string;
  readonly trailers: readonly string[];
  /** Where it goes on the branch. */
  readonly path: string;
  readonly content: string;
  /** All that is on the branch with it, in the place of what was there; then `path` only names it, as its trailer `Slipway-Backup` does. */
  readonly tree?: readonly TreeFile[];
  /** Where the content is, if it is not here: a file that is there until it was delivered. */
  readonly file?: string;
}

/** A file of a whole tree. */
export interface TreeFile {
  readonly path: string;
  readonly content: string;
  readonly executable?: boolean;
}

/** Its path comes from its time, if it names none. */
export type NewEntry = Omit<Entry, 'id' | 'path'> & { readonly path?: string };

export interface Outbox {
  add(entry: NewEntry): void;
  /** The same without holding up what else is going on. */
  addSoon(entry: NewEntry): Promise<void>;
  /** Oldest first. */
  pending(): Entry[];
  /** How many that are, without reading them: a backup has a whole config in it. */
  count(): number;
  remove(id: string): void;
}

/** What is longer (characters) goes to git as a file, not through our memory: 30 MB for the first commit of 10 000 resources. */
const LARGE = 1_000_000;

export function outbox(dir: string): Outbox {
  const file = (id: string): string => join(dir, `${id}.json`);
  const contentFile = (id: string): string => join(dir, id + CONTENT);
  // A crash between the two leaves what nothing names.
  for (const name of list(dir))
    if (isContent(name) && !existsSync(file(name.slice(0, -CONTENT.length)))) rmSync(join(dir, name), { force: true });
  return {
    add(entry) {
      const whole = named(entry);
      const isLarge = whole.content.length > LARGE && whole.file === undefined;
      if (isLarge) writeAtomically(contentFile(whole.id), whole.content);
      const kept = isLarge ? { ...whole, content: '', file: contentFile(whole.id) } : whole;
      writeAtomically(file(whole.id), JSON.stringify(kept));
    },
    addSoon(entry) {
      const whole = named(entry);
      return replaceFile(file(whole.id), JSON.stringify(whole));
    },
    pending: () =>
      list(dir)
        .filter(isEntry)
        .sort()
        .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as Entry),
    count: () => list(dir).filter(isEntry).length,
    remove(id) {
      rmSync(file(id), { force: true });
      rmSync(contentFile(id), { force: true });
    },
  };
}

const CONTENT = '.content';
const isContent = (name: string): boolean => name.endsWith(CONTENT);
const isEntry = (name: string): boolean => name.endsWith('.json');

function named(entry: NewEntry): Entry {
  const id = `${entry.at.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
  return { ...entry, id, path: entry.path ?? `${entry.at.slice(0, 10).replaceAll('-', '/')}/${id}.json` };
}

/** A directory that somebody removed holds nothing; the next record says so when it cannot be written. */
function list(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
