/** One child process in a process group of its own, and how it is brought to an end. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { StdioProcess } from '../../bridge/stdio.ts';
import { identify, type ProcessIdentity } from '../../process-identity.ts';

export interface Command {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** It runs in a sandbox, whose own two processes stand above it. */
  readonly caged?: boolean;
}

export interface Child extends StdioProcess {
  readonly identity: ProcessIdentity;
}

/** How long a process may take to end after its stdin ended, and again after SIGTERM. */
const GRACE_MS = 2000;

/** @throws SlipwayError start-failed when the program cannot be executed */
export async function startChild(command: Command): Promise<Child> {
  const [program, ...args] = command.argv;
  if (program === undefined) throw new SlipwayError('start-failed', 'The command is empty.');
  // `detached` makes it the leader of a new process group, so that what it starts itself can be ended with it.
  const child = spawn(program, args, {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    shell: false,
    stdio: 'pipe',
  });
  const ended = new Promise<string>((resolve) => {
    child.once('close', (code, signal) =>
      resolve(signal ? `it was ended by ${signal}` : `it exited with code ${code}`),
    );
  });
  await spawned(child, program);
  const { stdin, stdout, stderr } = child;
  // Without these, a pipe that breaks (the child ended while we wrote) would be an uncaught exception.
  for (const pipe of [stdin, stdout, stderr]) pipe.on('error', () => {});
  const pid = child.pid as number;
  // What it leaves behind would hold its pipes open, so that its end were never seen: its group is ended, and what left
  // the group is no longer listened to.
  child.once('exit', () => {
    signalGroup(pid, 'SIGKILL');
    setTimeout(() => (stdout.destroy(), stderr.destroy()), GRACE_MS).unref();
  });
  return {
    stdin,
    stdout,
    stderr,
    pid,
    identity: identify(pid) ?? { pid, started: '' },
    ended,
    stop: () => stop(child, ended, command.caged ?? false),
  };
}

function spawned(child: ChildProcessWithoutNullStreams, program: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const known: Record<string, string> = { ENOENT: 'the program was not found', EACCES: 'it may not be executed' };
      const why = known[error.code ?? ''] ?? error.code ?? 'it failed';
      reject(new SlipwayError('start-failed', `${program} could not be started: ${why}.`, { cause: error }));
    });
  });
}

/** End of stdin (what MCP asks for) → SIGTERM → SIGKILL, each to the whole group. Resolves when it has ended. */
async function stop(child: ChildProcessWithoutNullStreams, ended: Promise<string>, caged: boolean): Promise<void> {
  const pid = child.pid as number;
  // An HTTP server's stdin ended when it started, so there is nothing to wait for before SIGTERM.
  let graceMs = child.stdin.writableEnded ? 0 : GRACE_MS;
  child.stdin.end();
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (await exitsWithin(child, graceMs)) break;
    // A sandbox that is told to end does so at once, and takes the program with it: the word is for the program.
    const program = caged && signal === 'SIGTERM' ? onlyChildOf(onlyChildOf(pid)) : undefined;
    if (program === undefined) signalGroup(pid, signal);
    else signalOne(program, signal);
    graceMs = GRACE_MS;
  }
  // The leader is gone or going; whoever it started and left behind goes too.
  signalGroup(pid, 'SIGKILL');
  child.stdout.destroy();
  child.stderr.destroy();
  await ended;
}

/** As Linux tells it; undefined where it does not, or there is none. */
function onlyChildOf(pid: number | undefined): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]) || undefined;
  } catch {
    return undefined;
  }
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it is gone already, which is what was wanted.
  }
}

export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: the group is gone already, which is what was wanted.
  }
}

async function exitsWithin(child: ChildProcessWithoutNullStreams, ms: number): Promise<boolean> {
  const { promise: timeout, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  const exited = new Promise<boolean>((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done(true);
    else child.once('exit', () => done(true));
  });
  try {
    return await Promise.race([exited, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
