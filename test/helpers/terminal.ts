/** A program on a real terminal: what is typed goes in as keys, what it shows is read. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { on } from 'node:events';

/** Of keys, as a terminal sends them. */
export const KEYS = { tab: '\t', enter: '\r', clear: '\u0015' } as const;

export interface TerminalOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  #shown = '';

  /** @param command a line for `sh`, run by util-linux’s `script`, which brings the terminal */
  constructor(command: string, { cwd, env }: TerminalOptions) {
    // In a group of its own, so that all of it can be ended.
    this.#child = spawn('script', ['-qfec', command, '/dev/null'], {
      cwd,
      env: { ...env, TERM: 'dumb' },
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#shown += chunk.toString()));
    this.#child.stdin.on('error', () => {}); // It has ended; whoever waits for it hears of that.
  }

  /** @returns what is shown from now on until `text` is, that included @throws Error with what was shown where it ends before */
  async type(keys: string, text: string): Promise<string> {
    const start = this.#shown.length;
    this.#child.stdin.write(keys);
    const signal = AbortSignal.timeout(30_000);
    const seen = (): boolean => this.#shown.includes(text, start);
    try {
      if (!seen()) for await (const _ of on(this.#child.stdout, 'data', { close: ['end'], signal })) if (seen()) break;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (!seen())
      throw new Error(`${JSON.stringify(text)} was not shown after ${JSON.stringify(keys)}, but\n${this.#shown}`);
    return this.#shown.slice(start);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((done) => this.#child.once('close', done));
    process.kill(-(this.#child.pid as number), 'SIGKILL');
    await ended;
  }
}
