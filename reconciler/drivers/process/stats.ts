/** What processes use, as Linux tells it in /proc: an instance is its first process and all that came from it. */
import { readdirSync, readFileSync } from 'node:fs';
import type { InstanceStats } from '../driver.ts';

/** The kernel counts CPU time for programs in hundredths of a second, whatever its own clock is (USER_HZ). */
const TICKS_PER_SECOND = 100;

interface Entry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Of the process and of those children of it that have ended. */
  readonly cpuSeconds: number;
}

/** @param leaders first process of each running instance, by instance id */
export function processStats(leaders: ReadonlyMap<string, number>): InstanceStats[] {
  if (leaders.size === 0) return [];
  const entries = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? entryOf(Number(name)) : []));
  const children = Map.groupBy(entries, ({ parent }) => parent);
  return [...leaders].flatMap(([id, leader]): InstanceStats[] => {
    const own = new Map(entries.filter(({ pid, group }) => pid === leader || group === leader).map((e) => [e.pid, e]));
    // What left the process group is still a descendant; the map grows while it is walked.
    for (const { pid } of own.values()) for (const child of children.get(pid) ?? []) own.set(child.pid, child);
    if (own.size === 0) return [];
    const sizes = [...own.keys()].map(sizeOf);
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    return [
      {
        id,
        cpuSeconds: sum([...own.values()].map(({ cpuSeconds }) => cpuSeconds)),
        memoryBytes: sum(sizes.map(({ bytes }) => bytes)),
        pids: sum(sizes.map(({ threads }) => threads)),
      },
    ];
  });
}

/** From proc_pid_stat(5): after the command in parentheses come state, ppid, pgrp, …, utime (12th), stime, cutime, cstime. */
function entryOf(pid: number): Entry[] {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === '') return [];
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [parent, group] = [Number(fields[1]), Number(fields[2])];
  const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
  return [{ pid, parent, group, cpuSeconds: ticks / TICKS_PER_SECOND }];
}

/** Resident memory, shared pages counted for each process, and threads. Both zero for one that has just ended. */
function sizeOf(pid: number): { bytes: number; threads: number } {
  const status = read(`/proc/${pid}/status`);
  const number = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return { bytes: number('VmRSS') * 1024, threads: number('Threads') };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // It has ended since we looked.
  }
}
