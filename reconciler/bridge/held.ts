/** The instances that a driver holds, and what is the same for all drivers that hold any. */
import { createHash } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import type { StateDir } from '../state.ts';
import { readLog } from './log-file.ts';
import type { Running } from './running.ts';

type Listener = Parameters<NonNullable<Driver['watch']>>[0];

export class HeldInstances {
  readonly #state: StateDir;
  readonly #instances = new Map<string, Running>();
  readonly #listeners = new Set<Listener>();
  readonly #busy = new Map<string, Promise<unknown>>();
  #closed = false;

  constructor(state: StateDir) {
    this.#state = state;
  }

  get(id: string): Running | undefined {
    return this.#instances.get(id);
  }

  values(): Running[] {
    return [...this.#instances.values()];
  }

  add(id: string, instance: Running): void {
    this.#instances.set(id, instance);
    this.changed(id);
  }

  /** Held, or about to be. */
  has(id: string): boolean {
    return this.#instances.has(id) || this.#busy.has(id);
  }

  /** @param outside it was not us: a pass may have to mend it */
  changed(id: string, outside = false): void {
    for (const listener of this.#listeners) listener(id, outside);
  }

  /** A pass that was interrupted may still be at it when the next one asks for the same instance. */
  async alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    while (this.#busy.has(id)) await this.#busy.get(id)?.catch(() => {});
    if (this.#closed) throw new SlipwayError('shutting-down');
    const running = work().finally(() => this.#busy.delete(id));
    this.#busy.set(id, running);
    return running;
  }

  /** Forgets an instance that is gone. Its log is kept as the last one of its workload: it may tell why a rollout failed. */
  forget(id: string): void {
    const address = this.#instances.get(id)?.observe().address;
    this.#instances.delete(id);
    if (address !== undefined && existsSync(this.logPath(id))) renameSync(this.logPath(id), this.#lastLogPath(address));
    rmSync(`${this.logPath(id)}.1`, { force: true });
    rmSync(join(this.#state.paths.work, id), { recursive: true, force: true });
    this.changed(id);
  }

  logPath(id: string): string {
    return join(this.#state.paths.logs, `${id}.log`);
  }

  /** Named after the instance where a socket's path (107 bytes, 103 on macOS) has room for that, else after its hash. */
  socketPath(id: string): string {
    const dir = this.#state.paths.sockets;
    const path = join(dir, `${id}.sock`);
    if (Buffer.byteLength(path) <= 100) return path;
    return join(dir, `${createHash('sha256').update(id).digest('hex').slice(0, 16)}.sock`);
  }

  /** What every driver that holds its instances answers in the same way. */
  asDriver() {
    return {
      idle: async (id) => this.get(id)?.idle(),
      connect: (id, handlers, options) => this.get(id)?.open?.(handlers, options),
      restart: async (id, reason) => this.get(id)?.restart(reason),
      mask: (id, text) => this.get(id)?.mask(text) ?? text,
      watch: (listener) => {
        this.#listeners.add(listener);
        return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
      },
      logs: (address, options) => {
        const own = this.values().map((instance) => instance.observe());
        const { index, instance } = options;
        const fits = ({ id, ...one }: Instance): boolean =>
          one.address === address &&
          (index === undefined || one.index === index) &&
          (instance === undefined || id === instance);
        const chosen = own.find(fits);
        if (chosen) return readLog(this.logPath(chosen.id), options);
        const last = this.#lastLogPath(address);
        const any = index === undefined && instance === undefined;
        return any && existsSync(last) ? readLog(last, options) : undefined;
      },
    } satisfies Partial<Driver>;
  }

  /** Ends all, or lets go of them. What is being worked on is waited for. */
  async close(how: 'end' | 'release'): Promise<void> {
    this.#closed = true;
    while (this.#busy.size > 0) await Promise.allSettled(this.#busy.values());
    await Promise.all(
      this.values().map((instance) => (how === 'end' ? instance[Symbol.asyncDispose]() : instance.release())),
    );
    this.#instances.clear();
  }

  #lastLogPath(address: string): string {
    return join(this.#state.paths.logs, `${address.replaceAll('/', '-')}.last.log`);
  }
}
