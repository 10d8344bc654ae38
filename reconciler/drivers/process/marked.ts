/** Finds the processes that carry a Slipway's marks, ours and others'. Linux only: elsewhere nobody can look. */
import { readdirSync, readFileSync } from 'node:fs';
import { identify, isSame, type ProcessIdentity } from '../../process-identity.ts';
import { INSTANCE_VARIABLE, KEEPER_VARIABLE, OWNER_VARIABLE } from './environment.ts';

export interface Marked {
  readonly identity: ProcessIdentity;
  readonly owner: string;
  readonly instance: string;
  /** Whether the Slipway that started it still lives; undefined if it did not say which process it is. */
  readonly kept: boolean | undefined;
}

export function markedProcesses(): Marked[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((entry): Marked[] => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const environment = environmentOf(pid);
    const owner = environment.get(OWNER_VARIABLE);
    if (owner === undefined) return [];
    const identity = identify(pid);
    if (!identity) return [];
    const keeper = environment.get(KEEPER_VARIABLE);
    const kept = keeper === undefined ? undefined : isSame(readKeeper(keeper));
    return [{ identity, owner, instance: environment.get(INSTANCE_VARIABLE) ?? '', kept }];
  });
}

/** What a process that we start is told about us. */
export function keeperMark(): string {
  const { pid, started } = identify(process.pid) ?? { pid: process.pid, started: '' };
  return `${pid}:${started}`;
}

function readKeeper(mark: string): ProcessIdentity {
  const [pid = '', started = ''] = mark.split(':');
  return { pid: Number(pid), started };
}

function environmentOf(pid: number): ReadonlyMap<string, string> {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return new Map(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
  } catch {
    return new Map(); // Gone, or of another user: not ours.
  }
}
