/** An instance that speaks MCP over stdio: held by the bridge, served on a unix socket. */
import type { Connection, ConnectionHandlers, ConnectOptions } from '../../schemas/peer.ts';
import type { Instance } from '../drivers/driver.ts';
import type { Workload } from '../workload.ts';
import { StdioInstance } from './instance.ts';
import type { Running, RunningContext } from './running.ts';
import { serveSocket } from './socket.ts';
import type { Start } from './stdio.ts';

export interface StdioContext extends RunningContext {
  readonly start: Start;
  readonly socket: string;
}

export class StdioRunning implements Running {
  readonly #context: StdioContext;
  readonly #bridge: StdioInstance;
  readonly #socket: AsyncDisposable;

  static async create(context: StdioContext): Promise<StdioRunning> {
    const { workload } = context;
    const bridge = new StdioInstance({
      start: context.start,
      log: context.log,
      lifecycle: workload.lifecycle,
      idleTimeoutMs: workload.idleTimeoutMs,
      startTimeoutMs: workload.rollout.timeoutMs,
      version: context.version,
      onChange: context.onChange,
      ...(context.adopted ? { adopted: true } : {}),
    });
    try {
      return new StdioRunning(context, bridge, await serveSocket(context.socket, (handlers) => bridge.open(handlers)));
    } catch (error) {
      await bridge[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(context: StdioContext, bridge: StdioInstance, socket: AsyncDisposable) {
    this.#context = context;
    this.#bridge = bridge;
    this.#socket = socket;
  }

  observe(): Instance {
    const { id, index, workload, socket, exposed } = this.#context;
    const { state, restarts, pid, startedAt, lastError } = this.#bridge;
    return {
      id,
      address: workload.address,
      hash: workload.hash,
      index,
      state,
      restarts,
      endpoint: { id, transport: 'stdio', address: `unix:${socket}` },
      ...(pid === undefined ? {} : { pid }),
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(lastError === undefined ? {} : { lastError }),
      ...(exposed ? { exposed } : {}),
    };
  }

  adjust(workload: Workload): void {
    this.#bridge.adjust(workload);
  }

  idle(): Promise<void> {
    return this.#bridge.idle();
  }

  open(handlers: ConnectionHandlers, options?: ConnectOptions): Connection {
    return this.#bridge.open(handlers, options);
  }

  restart(reason: string): Promise<void> {
    return this.#bridge.restart(reason);
  }

  mask(text: string): string {
    return this.#context.log.redact(text);
  }

  async release(): Promise<void> {
    await this.#socket[Symbol.asyncDispose]();
    await this.#bridge.release();
    this.#context.log[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket[Symbol.asyncDispose]();
    await this.#bridge[Symbol.asyncDispose]();
    this.#context.log[Symbol.dispose]();
  }
}
