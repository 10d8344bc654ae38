/** Runs a small program to its end: argv and a bare environment, nothing of the user's own settings. */
import { spawn } from 'node:child_process';
import { SlipwayError } from '../../schemas/errors.ts';

const TIMEOUT_MS = 60_000;

export interface Ended {
  readonly code: number;
  readonly out: string;
}

/** @param home where it may keep its files @throws SlipwayError tool-missing; the signal's reason; when it takes too long */
export function runProgram(
  [program = '', ...args]: readonly string[],
  { input, home, signal }: { readonly input: Buffer | string; readonly home: string; readonly signal: AbortSignal },
): Promise<Ended> {
  const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', HOME: home, GNUPGHOME: home };
  const patience = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: home, env, signal: patience, stdio: ['pipe', 'pipe', 'ignore'] });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdin.on('error', () => {}); // It may end before it has read everything; its exit code tells why.
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (error.code === 'ENOENT')
        reject(new SlipwayError('tool-missing', `${program} is not installed on this host.`));
      else reject(new SlipwayError('internal', `${program} did not end.`, { cause: error }));
    });
    child.once('close', (code) => resolve({ code: code ?? 255, out: Buffer.concat(chunks).toString('utf8') }));
    child.stdin.end(input);
  });
}
