/** An instance that serves MCP over HTTP on a loopback port. It always runs: nothing could wake it. */
import { createServer } from 'node:net';
import { CrashBackoff } from '../../bridge/crash-backoff.ts';
import { logStream } from '../../bridge/log-stream.ts';
import type { StdioProcess } from '../../bridge/stdio.ts';
import type { InstanceStatus } from '../../../schemas/status.ts';
import type { Instance } from '../driver.ts';
import type { Running, RunningContext } from './running.ts';

export interface HttpContext extends RunningContext {
  readonly start: (extra: Readonly<Record<string, string>>) => Promise<StdioProcess>;
}

export class HttpProcess implements Running {
  readonly #context: HttpContext;
  readonly #crashes = new CrashBackoff();
  #port: number;
  #process: Promise<StdioProcess | undefined> = Promise.resolve(undefined);
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #state: InstanceStatus['state'] = 'starting';
  #pid: number | undefined;
  #startedAt: string | undefined;
  #lastError: string | undefined;

  /** The port is chosen once, so that the endpoint stays the same when the process is restarted. */
  static async create(context: HttpContext): Promise<HttpProcess> {
    const instance = new HttpProcess(context, context.workload.run.http?.port ?? (await freePort()));
    // A first start that fails is the caller's to deal with, who may know a version that works.
    instance.#process = Promise.resolve(await instance.#start());
    return instance;
  }

  private constructor(context: HttpContext, port: number) {
    this.#context = context;
    this.#port = port;
  }

  observe(): Instance {
    const { id, index, workload } = this.#context;
    const { transport, http } = workload.run;
    return {
      id,
      address: workload.address,
      hash: workload.hash,
      index,
      state: this.#state,
      restarts: this.#crashes.total,
      endpoint: { id, transport, address: `http://127.0.0.1:${this.#port}${http?.path ?? '/mcp'}` },
      ...(this.#pid === undefined ? {} : { pid: this.#pid }),
      ...(this.#startedAt === undefined ? {} : { startedAt: this.#startedAt }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
    };
  }

  adjust(): void {
    // Nothing about an HTTP process changes without a restart.
  }

  /** Calls go to the process directly, so only the gateway knows; it is asked by waiting for its old snapshot to retire. */
  async idle(): Promise<void> {}

  mask(text: string): string {
    return this.#context.log.redact(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const child = await this.#process;
    await child?.stop();
    this.#context.log[Symbol.dispose]();
  }

  async #start(): Promise<StdioProcess> {
    const { start, log } = this.#context;
    const child = await start({ PORT: String(this.#port), HOST: '127.0.0.1' });
    child.stdin.end();
    logStream(child.stdout, 'stdout', log);
    logStream(child.stderr, 'stderr', log);
    this.#pid = child.pid;
    this.#startedAt = new Date().toISOString();
    this.#become('running');
    void child.ended.then((why) => this.#failed(why));
    return child;
  }

  #restart(): Promise<StdioProcess | undefined> {
    return this.#start().catch((error: unknown) => {
      this.#failed(error instanceof Error ? error.message : String(error));
      return undefined;
    });
  }

  #failed(why: string): void {
    if (this.#closed) return;
    this.#pid = undefined;
    this.#startedAt = undefined;
    this.#lastError = why;
    this.#context.log.write('slipway', `the server failed: ${why}`);
    const wait = this.#crashes.crashed();
    this.#become('crashed');
    this.#timer = setTimeout(() => {
      this.#process = this.#restart();
    }, wait);
  }

  #become(state: InstanceStatus['state']): void {
    this.#state = state;
    this.#context.onChange();
  }
}

/** A port that was free a moment ago. Somebody may take it first: then the server fails to start and is started again. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
