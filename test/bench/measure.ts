/** Small tools for benchmarks: percentiles, CPU time of a process, rows that say what was promised. */
import { readFileSync } from 'node:fs';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** At most (or with `atLeast`, at least) this was promised. */
  readonly target?: number;
  readonly atLeast?: boolean;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** CPU time that a process itself has used, in ms (Linux). */
export const cpuMs = (pid: number): number => ticks(pid, [11, 12]) * 10;

/** The same with that of children which it has waited for, such as git. */
export const cpuWithChildrenMs = (pid: number): number => ticks(pid, [11, 12, 13, 14]) * 10;

function ticks(pid: number, which: readonly number[]): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return which.reduce((sum, index) => sum + Number(fields[index]), 0);
}

/** Resident memory of a process in MB (Linux). */
export function rssMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kb) * 1024) / 1e6;
}

/** The most that a process was ever resident, in MB (Linux); undefined once it is gone. */
export function highWaterMb(pid: number): number | undefined {
  try {
    const kb = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? undefined : (Number(kb) * 1024) / 1e6;
  } catch {
    return undefined;
  }
}

/** @returns how far the memory of a process rose meanwhile, at its highest (MB) */
export async function peakOf(pid: number, work: () => Promise<unknown>): Promise<number> {
  const before = rssMb(pid);
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, rssMb(pid))), 20);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
  return Math.max(peak, rssMb(pid)) - before;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export function printRows(title: string, rows: readonly Row[]): void {
  const width = Math.max(...rows.map((row) => row.name.length));
  console.log(`\n${title}`);
  for (const { name, value, unit, target, atLeast } of rows) {
    const met = target === undefined ? '' : (atLeast ? value >= target : value <= target) ? 'met' : 'MISSED';
    const promise = target === undefined ? '' : `${atLeast ? '≥' : '≤'} ${target} ${unit}`.padEnd(14);
    console.log(
      `  ${name.padEnd(width)}  ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit.padEnd(5)} ${promise} ${met}`,
    );
  }
}
