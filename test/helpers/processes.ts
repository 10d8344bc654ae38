/** What the operating system says about processes: the only witness that counts when something must be gone. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The argv that runs one of `test/fixtures/programs`. */
export function program(name: string, ...args: string[]): string[] {
  return [process.execPath, fileURLToPath(new URL(`../fixtures/programs/${name}.mjs`, import.meta.url)), ...args];
}

/** A zombie is dead: it waits for its parent, and runs nothing. */
export function isAlive(pid: number): boolean {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
    } catch {
      return false;
    }
  }
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Those of the processes that still live after a moment. There is no event for the end of somebody else's child. */
export async function survivors(pids: readonly number[], patienceMs = 20_000): Promise<number[]> {
  const deadline = Date.now() + patienceMs;
  while (pids.some(isAlive) && Date.now() < deadline) await delay(5);
  return pids.filter(isAlive);
}

/** Living processes that carry the mark in their environment. Linux only: elsewhere nobody can look. */
export function marked(mark: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && isAlive(pid) && environment(pid).includes(mark));
}

function environment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
