/** An instance that serves MCP over HTTP. It always runs: nothing could wake it. */
import type { InstanceStatus } from '../../schemas/status.ts';
import type { Instance } from '../drivers/driver.ts';
import { CrashBackoff, isOutage } from './crash-backoff.ts';
import { logStream } from './log-stream.ts';
import type { Running, RunningContext } from './running.ts';
import type { StdioProcess } from './stdio.ts';

/** A server that listens somewhere. Its stdio is only its log. */
export interface HttpProcess extends StdioProcess {
  readonly url: string;
}

export interface HttpContext extends RunningContext {
  readonly start: () => Promise<HttpProcess>;
}

export class HttpRunning implements Running {
  readonly #context: HttpContext;
  readonly #crashes = new CrashBackoff();
  #url = '';
  #process: Promise<HttpProcess | undefined> = Promise.resolve(undefined);
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  /** Why it is being ended by us. */
  #reason: string | undefined;
  #state: InstanceStatus['state'] = 'starting';
  #pid: number | undefined;
  #startedAt: string | undefined;
  #lastError: string | undefined;

  static async create(context: HttpContext): Promise<HttpRunning> {
    const instance = new HttpRunning(context);
    // A first start that fails is the caller's to deal with, who may know a version that works.
    instance.#process = Promise.resolve(await instance.#start());
    return instance;
  }

  private constructor(context: HttpContext) {
    this.#context = context;
  }

  observe(): Instance {
    const { id, index, workload, exposed } = this.#context;
    const { transport } = workload.run;
    return {
      id,
      address: workload.address,
      hash: workload.hash,
      index,
      state: this.#state,
      restarts: this.#crashes.total,
      endpoint: { id, transport, address: this.#url },
      ...(this.#pid === undefined ? {} : { pid: this.#pid }),
      ...(this.#startedAt === undefined ? {} : { startedAt: this.#startedAt }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(exposed ? { exposed } : {}),
    };
  }

  adjust(): void {
    // Nothing about an HTTP process changes without a restart.
  }

  /** Calls go to the process directly, so only the gateway knows. */
  async idle(): Promise<void> {}

  async restart(reason: string): Promise<void> {
    const child = await this.#process;
    if (this.#closed || this.#state !== 'running') return;
    this.#reason = reason;
    await child?.stop();
  }

  retry(): void {
    if (this.#timer === undefined || this.#closed) return;
    this.#crashes.forgive();
    this.#startSoon(0);
  }

  mask(text: string): string {
    return this.#context.log.redact(text);
  }

  async release(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    (await this.#process)?.detach?.();
    this.#context.log[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const child = await this.#process;
    await child?.stop();
    this.#context.log[Symbol.dispose]();
  }

  async #start(): Promise<HttpProcess> {
    const { start, log } = this.#context;
    const child = await start();
    this.#url = child.url;
    logStream(child.stdout, 'stdout', log);
    logStream(child.stderr, 'stderr', log);
    this.#pid = child.pid;
    this.#startedAt = new Date().toISOString();
    this.#become('running');
    void child.ended.then((why) => this.#failed(why, child.outage));
    return child;
  }

  #restart(): Promise<HttpProcess | undefined> {
    return this.#start().catch((error: unknown) => {
      this.#failed(error instanceof Error ? error.message : String(error), isOutage(error));
      return undefined;
    });
  }

  #failed(why: string, outage = false): void {
    if (this.#closed) return;
    this.#pid = undefined;
    this.#startedAt = undefined;
    this.#lastError = this.#reason ?? why;
    this.#reason = undefined;
    this.#context.log.write('slipway', `the server failed: ${this.#lastError}`);
    const wait = this.#crashes.crashed(outage);
    this.#become('crashed');
    this.#startSoon(wait);
  }

  #startSoon(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#process = this.#restart();
    }, wait);
  }

  #become(state: InstanceStatus['state']): void {
    this.#state = state;
    this.#context.onChange();
  }
}
