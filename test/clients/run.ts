/** Runs somebody else's program to its end, in a home of its own, and hears what it says. */
import { spawn } from 'node:child_process';

const TIMEOUT = 90_000;

export interface Run {
  readonly argv: readonly string[];
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its stdin, which then stays open. */
  readonly input?: readonly string[];
  /** It is ended once it has said this; otherwise it ends by itself. */
  readonly until?: RegExp;
}

/** @returns all that it wrote, without colours @throws when it takes too long */
export function finish({ argv: [program = '', ...args], home, env, input, until }: Run): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, NO_COLOR: '1', ...env },
      stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${program} took too long; it said:\n${said}`));
    }, TIMEOUT);
    const hear = (part: Buffer): void => {
      said += part.toString();
      if (until?.test(said)) child.kill();
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      // oxlint-disable-next-line no-control-regex
      resolve(said.replaceAll(/\u001B\[[0-9;?]*[A-Za-z]/g, ''));
    });
    for (const line of input ?? []) child.stdin?.write(line);
  });
}
