/** The command line in this process: what it says is gathered, what is piped in is given. */
import { Readable } from 'node:stream';
import { run } from '../../cli/run.ts';
import type { Io } from '../../cli/io.ts';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  readonly cwd: string;
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export async function cli(args: readonly string[], { cwd, stdin = '', env = {} }: CliOptions): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const io: Io = {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    input: Readable.from([Buffer.from(stdin)]),
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', ...env },
    cwd,
    signal: new AbortController().signal,
    paint: (_, text) => text,
    log: () => {},
  };
  const code = await run(args, io);
  return { code, out: out.join('\n'), err: err.join('\n') };
}
