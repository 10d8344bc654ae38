/** Where the gateway listens: one address, which a snapshot can change, and a unix socket. */
import type { Socket } from 'node:net';
import { SlipwayError } from '../schemas/errors.ts';
import { isLoopback, parseListen } from '../schemas/listen.ts';
import { needsCredentials, type Snapshot } from '../schemas/snapshot.ts';
import type { Source } from './exchange.ts';
import type { Handle } from './http/message.ts';
import { listenTcp, listenUnix, type Listener } from './listen.ts';

export interface DoorsOptions {
  /** Instead of what snapshots say. */
  readonly listen: string | undefined;
  readonly handler: (source: Source) => Handle;
  readonly onConnected: (socket: Socket) => void;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
}

export class Doors {
  readonly #options: DoorsOptions;
  readonly #listeners = new Set<Listener>();
  #tcp: Listener | undefined;
  #listen = '';

  constructor(options: DoorsOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#tcp?.url ?? '';
  }

  /** @throws SlipwayError `listen-failed`, `unsafe-listen` */
  async open(snapshot: Snapshot, socketPath: string | undefined): Promise<void> {
    await this.#listenOn(this.#addressOf(snapshot), snapshot);
    if (socketPath !== undefined) this.#listeners.add(await listenUnix(socketPath, this.#options.handler));
  }

  /** Listens where a snapshot says. @param before the one that is served @throws as {@link open}: then nothing has changed */
  async follow(snapshot: Snapshot, before: Snapshot): Promise<void> {
    const address = this.#addressOf(snapshot);
    if (address !== this.#listen) await this.#moveTo(address, snapshot, before);
  }

  warnIfShut(snapshot: Snapshot): void {
    if (needsCredentials(snapshot) || this.#tcp?.source.loopback !== false) return;
    this.#options.warn(
      'no Token and no identity provider is left while listening beyond loopback: every request over TCP is refused',
      {},
    );
  }

  /** Takes nothing new. Each resolves when what is open has ended. */
  close(): Promise<void>[] {
    return [...this.#listeners].map((listener) => listener.close());
  }

  /** Ends what is open. */
  cut(): void {
    for (const listener of this.#listeners) listener.cut();
  }

  #addressOf(snapshot: Snapshot): string {
    return this.#options.listen ?? snapshot.gateway.listen;
  }

  async #listenOn(address: string, snapshot: Snapshot): Promise<void> {
    const parsed = parseListen(address);
    // An open gateway on the network hands every tool to whoever finds it.
    if (!isLoopback(parsed.host) && !needsCredentials(snapshot)) throw new SlipwayError('unsafe-listen');
    this.#tcp = await listenTcp(parsed, this.#options.handler, this.#options.onConnected);
    this.#listen = address;
    this.#listeners.add(this.#tcp);
  }

  /**
   * On the new address first: a request is welcome on either until the old one is closed. Where both share a port, the
   * old one has to let go of it before, and takes it back if the new one fails.
   */
  async #moveTo(address: string, snapshot: Snapshot, current: Snapshot): Promise<void> {
    const old = this.#tcp;
    const before = this.#listen;
    const leave = (): void => void old?.close().then(() => this.#listeners.delete(old));
    const shared = parseListen(address).port === parseListen(before).port && parseListen(address).port !== 0;
    if (shared) leave();
    try {
      await this.#listenOn(address, snapshot);
    } catch (error) {
      if (shared) await this.#listenOn(before, current);
      throw error;
    }
    if (!shared) leave();
  }
}
