/** What an engine of a test's own leaves behind: processes that name its directory, and mounts below it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Ends them and unmounts them, so that the directory can be removed. */
export function clearAway(path: string): void {
  for (const pid of processesOf(path)) kill(pid);
  for (const mount of mountsBelow(path)) spawnSync('umount', ['--lazy', mount]);
}

/** containerd, shims, conmon, and what they hold. */
function processesOf(path: string): number[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  const ours = new Set(pids.filter((pid) => read(`/proc/${pid}/cmdline`).includes(path) && pid !== process.pid));
  return pids.filter(
    (pid) => ours.has(pid) || ours.has(Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1])),
  );
}

function mountsBelow(path: string): string[] {
  const mounts = read('/proc/self/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return mounts.filter((mount) => mount.startsWith(`${path}/`)).toReversed();
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Processes come and go.
  }
}
