/** An instance that speaks MCP over stdio: held by the bridge, served on a unix socket. */
import { SlipwayError } from '../../schemas/errors.ts';
import { MAX_TIMER_MS } from '../../schemas/kinds/fields.ts';
import type { Connection, ConnectionHandlers, ConnectOptions } from '../../schemas/peer.ts';
import type { Instance } from '../drivers/driver.ts';
import type { Workload } from '../workload.ts';
import { StdioInstance } from './instance.ts';
import type { Running, RunningContext } from './running.ts';
import { serveSocket } from './socket.ts';
import type { Start, StdioInstanceOptions } from './stdio.ts';

export interface StdioContext extends RunningContext {
  readonly start: Start;
  readonly socket: string;
  /** Whether `start` may be called while another run lasts, so that each client can have one of its own. */
  readonly many?: boolean;
}

export class StdioRunning implements Running {
  readonly #context: StdioContext;
  readonly #bridge: StdioInstance;
  readonly #socket: AsyncDisposable;

  /** Processes that belong to one connection each. */
  readonly #isolated = new Set<StdioInstance>();

  static async create(context: StdioContext): Promise<StdioRunning> {
    const bridge = new StdioInstance({
      ...optionsOf(context),
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

  async idle(): Promise<void> {
    await Promise.all([this.#bridge, ...this.#isolated].map((instance) => instance.idle()));
  }

  open(handlers: ConnectionHandlers, options?: ConnectOptions): Connection {
    return options?.isolated ? this.#openIsolated(handlers) : this.#bridge.open(handlers, options);
  }

  /** It is no instance to anybody but its connection: neither what it does nor how it ends is told of the one that is. */
  #openIsolated(handlers: ConnectionHandlers): Connection {
    if (!this.#context.many)
      throw new SlipwayError('upstream-unavailable', 'This runtime cannot give each client an instance of its own.');
    const own = new StdioInstance({
      ...optionsOf(this.#context),
      lifecycle: 'onDemand',
      // The gateway ends it when its client is idle; one that waits for a client must stay awake.
      idleTimeoutMs: MAX_TIMER_MS,
      onChange: () => {},
    });
    this.#isolated.add(own);
    const connection = own.open(handlers);
    return {
      get inFlight() {
        return connection.inFlight;
      },
      request: (method, params, more) => connection.request(method, params, more),
      notify: (method, params) => connection.notify(method, params),
      close: () => {
        connection.close();
        void own[Symbol.asyncDispose]()
          .catch(() => {})
          .finally(() => this.#isolated.delete(own));
      },
    };
  }

  async #endIsolated(): Promise<void> {
    await Promise.all([...this.#isolated].map((own) => own[Symbol.asyncDispose]()));
  }

  restart(reason: string): Promise<void> {
    return this.#bridge.restart(reason);
  }

  retry(): void {
    this.#bridge.retry();
  }

  mask(text: string): string {
    return this.#context.log.redact(text);
  }

  async release(): Promise<void> {
    await this.#socket[Symbol.asyncDispose]();
    await this.#endIsolated();
    await this.#bridge.release();
    this.#context.log[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#socket[Symbol.asyncDispose]();
    await this.#endIsolated();
    await this.#bridge[Symbol.asyncDispose]();
    this.#context.log[Symbol.dispose]();
  }
}

function optionsOf({ workload, start, log, version }: StdioContext): Omit<StdioInstanceOptions, 'onChange'> {
  const { lifecycle, idleTimeoutMs, rollout } = workload;
  return { start, log, version, lifecycle, idleTimeoutMs, startTimeoutMs: rollout.timeoutMs };
}
