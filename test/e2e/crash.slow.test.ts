/** Whenever Slipway is killed, its next start serves again, and nothing is left of the time before. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openJournal } from '../../reconciler/journal.ts';
import { server } from '../helpers/config.ts';
import { marked, survivors } from '../helpers/processes.ts';
import { TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/programs/reconcile-and-die.ts', import.meta.url));

interface Report {
  readonly version: string;
  readonly pids: number[];
  readonly entries: number;
}

function start(stateDir: string, remote: string, n: number) {
  return spawn(process.execPath, [PROGRAM, stateDir, remote, String(n)], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Two commits: the second replaces `tiny`; the others stay, and would not go if they were only asked to. */
function configRepo(): TestRepo {
  const repo = new TestRepo();
  const others = { 'b.yaml': server('stubborn', 'stubborn'), 'c.yaml': server('family', 'family') };
  for (const version of ['v1', 'v2']) {
    repo.push({ 'a.yaml': server('tiny', 'good', [version]), ...others });
    repo.git('tag', version);
  }
  repo.git('push', '--quiet', '--tags', 'origin');
  return repo;
}

/** Two commits: four instances of one version, and of the next, which takes over in two waves. */
function replicasRepo(): TestRepo {
  const repo = new TestRepo();
  const rollout = { maxSurge: 2, drain: '0s' };
  for (const version of ['v1', 'v2']) {
    repo.push({ 'a.yaml': server('tiny', 'good', [version], { replicas: 4, lifecycle: 'always', rollout }) });
    repo.git('tag', version);
  }
  repo.git('push', '--quiet', '--tags', 'origin');
  return repo;
}

/** Runs until it dies after `n` entries. @returns true if it finished before */
async function runAndDie(stateDir: string, remote: string, n: number): Promise<boolean> {
  const child = start(stateDir, remote, n);
  const [output, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code === 0) expect(JSON.parse(output)).toMatchObject({ version: 'v2' });
  else expect({ n, code, signal }).toEqual({ n, code: null, signal: 'SIGKILL' });
  return code === 0;
}

/** Starts again on the same state, and compares what serves with what runs. */
async function startAgain(stateDir: string, remote: string): Promise<void> {
  const child = start(stateDir, remote, 0);
  const mark = `SLIPWAY_OWNER=${readFileSync(`${stateDir}/owner`, 'utf8')}`;
  try {
    const [line] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the next start ended with ${code}`))),
    ])) as [string];
    const { version, pids } = JSON.parse(line) as Report;
    expect(version).toBe('v2');
    expect(marked(mark).sort()).toEqual(pids.sort());
  } finally {
    child.kill('SIGKILL');
    const left = marked(mark);
    for (const pid of left) process.kill(pid, 'SIGKILL');
    expect(await survivors(left)).toEqual([]);
  }
}

test(
  'killed after any entry of its journal, Slipway converges at its next start and leaves no orphan',
  { timeout: 180_000 },
  async () => {
    using repo = configRepo();
    let n = 0;
    for (let finished = false; !finished;) {
      using dir = tempDir();
      n++;
      finished = await runAndDie(dir.at('state'), repo.remote, n);
      await startAgain(dir.at('state'), repo.remote);
    }
    // tiny twice, stubborn, family: create, starting, started; the old tiny: ended, removed.
    expect(n).toBe(3 * 4 + 2 + 1);
  },
);

test(
  'killed at any step of a rollout in waves, Slipway converges at its next start and leaves no orphan',
  { timeout: 300_000 },
  async () => {
    using repo = replicasRepo();
    // Up to here the first version starts: create, starting, started, four times.
    let n = 4 * 3;
    for (let finished = false; !finished;) {
      using dir = tempDir();
      n++;
      finished = await runAndDie(dir.at('state'), repo.remote, n);
      await startAgain(dir.at('state'), repo.remote);
    }
    // The second version: the same, four times; and ended, removed for each of the first.
    expect(n).toBe(4 * 3 + 4 * 3 + 4 * 2 + 1);
  },
);

test(
  'killed while it cleans up after having been killed, it still leaves no orphan',
  { timeout: 120_000 },
  async () => {
    using repo = configRepo();
    using dir = tempDir();
    const stateDir = dir.at('state');
    expect(await runAndDie(stateDir, repo.remote, 14)).toBe(false);
    {
      using journal = openJournal(dir.at('state', 'journal.jsonl'));
      expect(journal.leftovers.length).toBeGreaterThanOrEqual(3);
    }
    for (const n of [1, 1, 2]) expect(await runAndDie(stateDir, repo.remote, n)).toBe(false);
    await startAgain(stateDir, repo.remote);
  },
);
