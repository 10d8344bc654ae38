/** Runs git: argv only, no prompt, no hooks, nothing of the repository's own configuration that could run a program. */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SlipwayError, type ErrorCode } from '../../schemas/errors.ts';

export interface GitOptions {
  readonly cwd?: string;
  readonly signal: AbortSignal;
  readonly input?: string;
  /** Only when no other process wants the processor. */
  readonly background?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  /** How long it may take; a first clone of a large repo over a slow line takes its time. */
  readonly timeoutMs?: number;
}

/** A remote that accepts the connection and then says nothing must not hold a pass for ever. */
const TIMEOUT_MS = 120_000;

const SAFE = [
  '-c',
  'core.hooksPath=/dev/null', // A hook would be a program of the repository's choosing.
  '-c',
  'core.fsmonitor=false',
  '-c',
  'protocol.ext.allow=never', // ext:: URLs are shell commands.
  '-c',
  'gc.auto=0',
  '-c',
  'http.lowSpeedLimit=1000', // Bytes a second, for …
  '-c',
  'http.lowSpeedTime=60', // … seconds: a remote that goes silent is given up long before the time-out.
];

const ENV = {
  GIT_TERMINAL_PROMPT: '0', // A prompt nobody sees would hang for ever.
  GIT_OPTIONAL_LOCKS: '0',
  GIT_NO_LAZY_FETCH: '1',
  LC_ALL: 'C',
};

/** @returns stdout as text @throws SlipwayError source-unreachable with git's own words, or ref-not-found */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  return (await gitStream(args, options)).toString('utf8');
}

/** @returns stdout as bytes */
export async function gitStream(args: readonly string[], options: GitOptions): Promise<Buffer> {
  return (await gitAnswer(args, { ...options, answers: [0] })).output;
}

/** For what answers with its exit code. @param options `answers` are the codes that are no failure */
export function gitAnswer(
  args: readonly string[],
  options: GitOptions & { readonly answers: readonly number[] },
): Promise<{ readonly code: number; readonly output: Buffer }> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]);
  return new Promise((resolve, reject) => {
    const child = spawn('git', [...SAFE, ...args], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: {
        ...surroundings(),
        ...ENV,
        ...(options.cwd === undefined ? {} : { GIT_DIR: options.cwd }),
        ...options.env,
      },
      signal,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    if (options.background) yieldProcessor(child.pid);
    feed(options.input ?? '', child.stdin).catch(reject);
    child.once('error', (error: NodeJS.ErrnoException) => reject(failure(error, options.signal)));
    child.once('close', (code) => {
      if (code !== null && options.answers.includes(code)) resolve({ code, output: Buffer.concat(output) });
      else if (signal.aborted) reject(failure(signal.reason as Error, options.signal));
      else reject(refusal(args, Buffer.concat(errors).toString('utf8')));
    });
  });
}

function yieldProcessor(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It has ended already, or this host does not let us: then it is as any other.
  }
}

const ENDED = new Set(['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED']);

/** @throws what reading the input throws */
async function feed(input: string, stdin: Writable): Promise<void> {
  try {
    await pipeline([input], stdin);
  } catch (error) {
    // git may end before it has read everything; its exit code tells why.
    if (!ENDED.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Without what git tells its hooks (`GIT_DIR` …): it would lead us into a repository that is not ours. */
function surroundings(): NodeJS.ProcessEnv {
  const local =
    /^GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|COMMON_DIR|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|NAMESPACE)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !local.test(name)));
}

function failure(error: NodeJS.ErrnoException, caller: AbortSignal): unknown {
  if (caller.aborted) return caller.reason;
  if (error.code === 'ENOENT') return new SlipwayError('tool-missing', 'git is not installed on this host.');
  return new SlipwayError('source-unreachable', 'git did not finish in time.', { cause: error });
}

/** What git's words mean where it is not the remote. */
const CAUSES: readonly (readonly [RegExp, ErrorCode])[] = [
  [/couldn't find remote ref|not our ref|unadvertised object/, 'ref-not-found'],
  [/No space left on device|Disk quota exceeded/, 'state-unwritable'],
];

const SAID = /^(fatal|error|remote): ?/;

function refusal(args: readonly string[], stderr: string): SlipwayError {
  const lines = stderr.split('\n').map((line) => line.trim());
  const said = lines.filter((line) => SAID.test(line) && !/^remote: *$/.test(line));
  // Why ssh came to nothing is in words of its own, before git's: "Permission denied (publickey)."
  const unread = lines.findIndex((line) => line.includes('Could not read from remote repository'));
  const why = lines.slice(0, Math.max(unread, 0)).findLast((line) => line !== '' && !SAID.test(line)) ?? '';
  const words = withoutCredentials([why, ...said.slice(0, 2)].join(' ').trim()) || 'git failed.';
  const [, code = 'source-unreachable'] = CAUSES.find(([says]) => says.test(stderr)) ?? [];
  return new SlipwayError(code, `git ${args[0]}: ${words}`);
}

/** URLs end up in status, logs and audit; credentials in them must not, even where a password was not encoded (`/`, `@`). */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)(?:[^/?#\s]*@|[^@\s/]*:(?!\d*(?:\/|$))\S*@)/gi, '$1');
}
