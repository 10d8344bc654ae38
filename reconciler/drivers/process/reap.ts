/** Ends processes that nobody holds any more: our own of an earlier run, and, when asked to, those of another Slipway. */
import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../schemas/log.ts';
import type { Journal } from '../../journal.ts';
import { isSame, type ProcessIdentity } from '../../process-identity.ts';
import type { Orphan } from '../driver.ts';
import { signalGroup } from './child.ts';
import { markedProcesses, type Marked } from './marked.ts';

const DEADLINE_MS = 5000;

/**
 * Finds leftovers by the journal, and, on Linux, by the owner's mark in their environment: that also finds a process
 * that was started in the instant before the crash, and grandchildren that left their group. Ends only what is ours.
 */
export async function reapLeftovers(journal: Journal, owner: string, log: Log): Promise<void> {
  const noted = journal.leftovers.flatMap((leftover) => leftover.processes).filter(isSame);
  const own = markedProcesses().filter((marked) => marked.owner === owner);
  const found = new Map([...noted, ...own.map(({ identity }) => identity)].map((identity) => [identity.pid, identity]));
  for (const pid of found.keys()) log('warn', 'ending a process that an earlier run left behind', { pid });
  await end([...found.values()]);
  for (const { instance } of journal.leftovers) journal.append({ op: 'removed', instance });
}

/** What instances of ours leave behind that has left their groups: on Linux it still carries our marks. */
export async function reapStrays(owner: string, instances: readonly string[], log: Log): Promise<void> {
  if (instances.length === 0) return;
  const strays = markedProcesses().filter((marked) => marked.owner === owner && instances.includes(marked.instance));
  for (const { identity, instance } of strays)
    log('warn', 'ending a process that a server left behind', { pid: identity.pid, instance });
  await end(strays.map(({ identity }) => identity));
}

/** Instances of other Slipways on this host. Two of them may have instances of one name, so the id tells the owner too. */
export function orphansBeside(owner: string): Orphan[] {
  return [...othersBeside(owner)].map(([id, processes]): Orphan => {
    const [first] = processes;
    const server = /^slipway-(.+)-[0-9a-f]{8}-\d+$/.exec(first.instance)?.[1];
    return {
      id,
      kind: 'instance',
      owner: first.owner,
      ...(server === undefined ? {} : { server }),
      createdAt: startedAt(first.identity.pid),
      dead: processes.every(({ kept }) => kept === false),
    };
  });
}

/** @returns the ids of those that are gone */
export async function pruneBeside(owner: string, ids: readonly string[]): Promise<string[]> {
  const others = othersBeside(owner);
  const wanted = ids.filter((id) => others.has(id));
  await end(wanted.flatMap((id) => (others.get(id) ?? []).map(({ identity }) => identity)));
  const left = othersBeside(owner);
  return wanted.filter((id) => !left.has(id));
}

function othersBeside(owner: string): Map<string, [Marked, ...Marked[]]> {
  const others = markedProcesses().filter((marked) => marked.owner !== owner && marked.instance !== '');
  return Map.groupBy(others, (marked) => `${marked.instance}@${marked.owner.slice(0, 8)}`) as Map<
    string,
    [Marked, ...Marked[]]
  >;
}

/** The kernel makes the folder of a process with it. */
function startedAt(pid: number): string {
  return (statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.ctime ?? new Date()).toISOString();
}

/** Ends the processes, each with its group. A killed process takes a moment to go, and nobody tells when it is not our child. */
async function end(processes: readonly ProcessIdentity[]): Promise<void> {
  for (const { pid } of processes) {
    signalGroup(pid, 'SIGKILL');
    kill(pid);
  }
  const deadline = Date.now() + DEADLINE_MS;
  while (processes.some(isSame) && Date.now() < deadline) await delay(5);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
