/** One conversation with an instance for all its probes: none of them leaves a session behind, or wakes who sleeps. */
import type { Channel, Connection } from '../../schemas/peer.ts';
import { untilAborted } from '../async.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import { converse } from './converse.ts';

export class ProbeSession implements Disposable {
  readonly #driver: Driver;
  readonly #version: string;
  readonly #stop = new AbortController();
  #opening: Promise<{ readonly connection: Connection; readonly channel: Channel }> | undefined;
  #address = '';

  /** @param version of Slipway, for `clientInfo` */
  constructor(driver: Driver, version: string) {
    this.#driver = driver;
    this.#version = version;
  }

  /** The conversation that stands, or a new one. It outlives a probe that gives up waiting for it. */
  async open(instance: Instance, signal: AbortSignal): Promise<Channel> {
    if (this.#address !== instance.endpoint.address) this.close();
    this.#address = instance.endpoint.address;
    const opening = (this.#opening ??= this.#dial(instance));
    opening.catch(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    return (await untilAborted(opening, signal)).channel;
  }

  /** After a failure nothing is known of the conversation: the next probe begins another. */
  close(): void {
    void this.#opening?.then(({ connection }) => connection.close()).catch(() => {});
    this.#opening = undefined;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.close();
  }

  async #dial({ id, endpoint }: Instance): Promise<{ connection: Connection; channel: Channel }> {
    const { signal } = this.#stop;
    const local = this.#driver.connect?.(id, {}, { passive: true });
    const connection = local ?? (await (await import('./http.ts')).connectHttp(endpoint, this.#version, signal));
    try {
      return { connection, channel: (await converse(connection, this.#version, signal)).channel };
    } catch (error) {
      connection.close();
      throw error;
    }
  }
}
