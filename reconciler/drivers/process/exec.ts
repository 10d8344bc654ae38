/** Runs a program beside an instance, to its end: for probes. */
import { spawn } from 'node:child_process';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { ExecResult } from '../driver.ts';
import { signalGroup, type Command } from './child.ts';

/** What is kept of its output. */
const MAX_OUTPUT = 4096;

/** @throws SlipwayError `not-ready` when it cannot be started; the signal's reason, once all that it started has ended */
export function runBeside({ argv, cwd, env }: Command, signal: AbortSignal): Promise<ExecResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, args, { cwd, env, detached: true, shell: false, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-MAX_OUTPUT));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const end = (): void => {
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
    };
    signal.addEventListener('abort', end, { once: true });
    child.once('error', (cause) => {
      signal.removeEventListener('abort', end);
      reject(new SlipwayError('not-ready', `The program ${program} could not be started.`, { cause }));
    });
    child.once('exit', (code) => {
      signal.removeEventListener('abort', end);
      end();
      if (signal.aborted) reject(signal.reason as Error);
      else setImmediate(() => resolve({ code: code ?? 255, output }));
    });
  });
}
