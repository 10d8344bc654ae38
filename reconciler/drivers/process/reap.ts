/** Ends the processes that an earlier run left behind when it was killed. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../schemas/log.ts';
import type { Journal } from '../../journal.ts';
import { identify, isSame, type ProcessIdentity } from '../../process-identity.ts';
import { signalGroup } from './child.ts';
import { OWNER_VARIABLE } from './environment.ts';

const DEADLINE_MS = 5000;

/**
 * Finds leftovers by the journal, and, on Linux, by the owner's mark in their environment: that also finds a process
 * that was started in the instant before the crash, and grandchildren that left their group. Ends only what is ours.
 */
export async function reapLeftovers(journal: Journal, owner: string, log: Log): Promise<void> {
  const noted = journal.leftovers.flatMap((leftover) => leftover.processes).filter(isSame);
  const found = new Map([...noted, ...markedProcesses(owner)].map((identity) => [identity.pid, identity]));
  for (const { pid } of found.values()) {
    log('warn', 'ending a process that an earlier run left behind', { pid });
    signalGroup(pid, 'SIGKILL');
    kill(pid);
  }
  await gone([...found.values()]);
  for (const { instance } of journal.leftovers) journal.append({ op: 'removed', instance });
}

function markedProcesses(owner: string): ProcessIdentity[] {
  if (process.platform !== 'linux') return [];
  const mark = `${OWNER_VARIABLE}=${owner}`;
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid || !environmentOf(pid).includes(mark)) return [];
    const identity = identify(pid);
    return identity ? [identity] : [];
  });
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return []; // Gone, or of another user: not ours.
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** A killed process takes a moment to go, and there is no event for one that is not our child. */
async function gone(processes: readonly ProcessIdentity[]): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (processes.some(isSame) && Date.now() < deadline) await delay(5);
}
