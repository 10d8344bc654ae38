/**
 * Write-ahead journal: the intent is on disk before anything is created, and dropped only after a confirmed removal.
 * So a crash at any point leaves nothing that the next start does not know of.
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { ProcessIdentity } from './process-identity.ts';
import { unwritable, writeAtomically } from './state.ts';

export type JournalEntry =
  /** An instance is about to be created. */
  | {
      readonly op: 'create';
      readonly instance: string;
      readonly driver: string;
      readonly address: string;
      readonly hash: string;
    }
  /** A process of the instance is about to be started. */
  | { readonly op: 'starting'; readonly instance: string }
  /** It was started. */
  | { readonly op: 'started'; readonly instance: string; readonly process: ProcessIdentity }
  /** It has ended, all of its process group. */
  | { readonly op: 'ended'; readonly instance: string }
  /** The instance was removed. */
  | { readonly op: 'removed'; readonly instance: string };

export interface Journal extends Disposable {
  /** @throws SlipwayError state-unwritable; then nothing may be done that the entry was to announce */
  append(entry: JournalEntry): void;
  /** Instances that the previous run left behind. */
  readonly leftovers: readonly Leftover[];
}

export interface Leftover {
  readonly instance: string;
  /** Processes that were started and not seen to end; some may be gone by now. */
  readonly processes: readonly ProcessIdentity[];
  /** True if a process may have been started without its pid having been noted. */
  readonly uncertain: boolean;
}

/** @param onAppend called after each entry is on disk; crash tests end the process there */
export function openJournal(path: string, onAppend: (entry: JournalEntry) => void = () => {}): Journal {
  const leftovers = replay(readEntries(path));
  // Nothing is dropped before it is dealt with: leftovers stay in the journal until they are reported as removed.
  const kept: JournalEntry[] = leftovers.flatMap(({ instance, processes, uncertain }) => [
    ...processes.map((process): JournalEntry => ({ op: 'started', instance, process })),
    ...(uncertain ? [{ op: 'starting', instance } as const] : []),
  ]);
  writeAtomically(path, kept.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  const file = openSync(path, 'a', 0o600);
  return {
    leftovers,
    append(entry) {
      try {
        writeSync(file, `${JSON.stringify(entry)}\n`);
        fsyncSync(file);
      } catch (error) {
        throw unwritable(path, error);
      }
      onAppend(entry);
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}

/** A line cut off by a crash was never acted on, so it is skipped. */
function readEntries(path: string): JournalEntry[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      const entry = JSON.parse(line) as JournalEntry | null;
      return typeof entry?.instance === 'string' ? [entry] : [];
    } catch {
      return [];
    }
  });
}

function replay(entries: readonly JournalEntry[]): Leftover[] {
  const open = new Map<string, { processes: ProcessIdentity[]; uncertain: boolean }>();
  for (const entry of entries) {
    const state = open.get(entry.instance) ?? { processes: [], uncertain: false };
    open.set(entry.instance, state);
    if (entry.op === 'starting') state.uncertain = true;
    if (entry.op === 'started') {
      state.processes.push(entry.process);
      state.uncertain = false;
    }
    if (entry.op === 'ended') Object.assign(state, { processes: [], uncertain: false });
    if (entry.op === 'removed') open.delete(entry.instance);
  }
  return [...open].flatMap(([instance, { processes, uncertain }]) =>
    processes.length > 0 || uncertain ? [{ instance, processes, uncertain }] : [],
  );
}
