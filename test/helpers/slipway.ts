/** The real program, as a person would run it: from source, in a process of its own, with a home of its own. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { on } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Status } from '../../schemas/status.ts';

export const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A folder that stands for somebody's machine: a home, and a bare remote with a clone to work in. Removes itself. */
export class Desk implements AsyncDisposable {
  readonly home = mkdtempSync(join(tmpdir(), 'slipway-desk-'));
  readonly remote = join(this.home, 'remote.git');
  readonly config = join(this.home, 'config');
  readonly state = join(this.home, 'state');
  readonly #running: Running[] = [];

  constructor() {
    this.git(this.home, 'init', '--quiet', '--bare', '--initial-branch=main', this.remote);
    this.git(this.home, 'clone', '--quiet', this.remote, this.config);
  }

  env(): NodeJS.ProcessEnv {
    return { ...process.env, XDG_STATE_HOME: join(this.home, 'xdg'), NO_COLOR: '1' };
  }

  /** A `PATH` with the program under its own name, for shells. @param program a built one, which starts faster */
  path(program = MAIN): string {
    const folder = join(this.home, 'bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'slipway'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, {
      mode: 0o755,
    });
    return `${folder}:${process.env['PATH'] ?? ''}`;
  }

  git(cwd: string, ...args: string[]): string {
    const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'init.defaultBranch=main'];
    const { status, stdout, stderr } = spawnSync('git', [...identity, ...args], { cwd, encoding: 'utf8' });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  write(files: Readonly<Record<string, string | undefined>>): void {
    for (const [path, content] of Object.entries(files)) {
      const target = join(this.config, path);
      mkdirSync(dirname(target), { recursive: true });
      if (content === undefined) rmSync(target);
      else writeFileSync(target, content);
    }
  }

  /** Writes, commits and pushes. @returns the commit's id */
  push(files: Readonly<Record<string, string | undefined>>, message = 'a change'): string {
    this.write(files);
    this.git(this.config, 'add', '--all');
    this.git(this.config, 'commit', '--quiet', '-m', message);
    this.git(this.config, 'push', '--quiet', 'origin', 'HEAD:main');
    return this.git(this.config, 'rev-parse', 'HEAD');
  }

  /** Runs a command to its end. */
  slipway(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): Promise<Result> {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.cwd ?? this.config,
      env: { ...this.env(), ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return collect(child);
  }

  /** Starts `slipway up` and waits until it serves. */
  async up(args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Running> {
    const all = [
      'up',
      '--repo',
      this.remote,
      '--state-dir',
      this.state,
      '--listen',
      '127.0.0.1:0',
      '--interval',
      '1h',
      ...args,
    ];
    const child = spawn(process.execPath, [MAIN, ...all], {
      cwd: this.home,
      env: { ...this.env(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = new Running(child);
    this.#running.push(running);
    await running.serving;
    return running;
  }

  files(folder: string): string[] {
    return readdirSync(folder);
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.slipway(['status', '--state-dir', this.state, '-o', 'json'])).out) as Status;
  }

  sync(...args: string[]): Promise<Result> {
    return this.slipway(['sync', '--wait', '--state-dir', this.state, ...args]);
  }

  call(server: string, tool: string, args: object = {}): Promise<Result> {
    return this.slipway(['call', server, tool, JSON.stringify(args), '--state-dir', this.state]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((running) => running.stop()));
    rmSync(this.home, { recursive: true, force: true });
  }
}

export class Running {
  readonly child: ChildProcess;
  /** Resolves to the gateway's URL when it serves. */
  readonly serving: Promise<string>;
  /** Resolves when it has ended, whoever ended it. */
  readonly ended: Promise<Result>;
  #log = '';

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = collect(child);
    this.serving = new Promise((resolve, reject) => {
      child.stderr?.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
        const url = /serving (\S+)\/mcp/.exec(this.#log)?.[1];
        if (url) resolve(url);
      });
      child.once('exit', () => reject(new Error(`slipway up ended:\n${this.#log}`)));
    });
    this.serving.catch(() => {}); // Whoever waits for it hears of it.
  }

  /** What it said so far. */
  get log(): string {
    return this.#log;
  }

  /** Resolves when it has said so. */
  async logged(text: string): Promise<void> {
    if (this.#log.includes(text)) return;
    for await (const _ of on(this.child.stderr as Readable, 'data', { close: ['end'] }))
      if (this.#log.includes(text)) return;
    throw new Error(`It ended without saying ${text}:\n${this.#log}`);
  }

  /** Stops it as Ctrl-C would, and waits for its end. */
  stop(): Promise<Result> {
    if (this.child.exitCode === null) this.child.kill('SIGINT');
    return this.ended;
  }

  /** Ends it with no chance to tidy up. */
  kill(): Promise<Result> {
    this.child.kill('SIGKILL');
    return this.ended;
  }
}

function collect(child: ChildProcess): Promise<Result> {
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) =>
    child.once('close', (code) => resolve({ code, out: out.trimEnd(), err: err.trimEnd() })),
  );
}
