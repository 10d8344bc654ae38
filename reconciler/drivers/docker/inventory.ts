/** What of ours is on the engines, kept fresh by their events: one listing a burst, never an inspection of each. */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { ContainerInfo, GetEventsOptions } from 'dockerode';
import type { Log } from '../../../schemas/log.ts';
import { pause } from '../../async.ts';
import { instanceName } from '../../workload.ts';
import { messageOf } from './answers.ts';
import type { Engine } from './engine.ts';
import { LABEL, ownFilter, type Owner } from './labels.ts';

/** A container with our marks. */
export interface Found {
  readonly engine: Engine;
  readonly containerId: string;
  /** Of the instance, which its labels tell. */
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly hash: string;
  readonly index: number;
  readonly running: boolean;
  /** Names of the networks that it is on. */
  readonly networks: readonly string[];
}

/** What happened to one of our containers, in the engine's words. */
export interface EngineEvent {
  readonly action: string;
  readonly containerId: string;
  readonly instance: string | undefined;
}

/** As engines write it. */
interface RawEvent {
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Record<string, string> };
  /** ns since 1970, as far as a number can hold them. */
  readonly timeNano?: number;
}

export interface InventoryOptions {
  readonly owner: Owner;
  readonly log: Log;
  readonly onEvent: (event: EngineEvent) => void;
  /** Called after each listing, which is once a minute at least. */
  readonly onListed: (engine: Engine) => void;
  /** Called when an engine answers again. */
  readonly onBack: (engine: Engine) => void;
}

/** Events come in bursts: create, start, network connect. */
const SETTLE_MS = 50;
/** Events may be lost with the engine's memory of them, so everything is listed now and then. */
const RELIST_MS = 60_000;
const LAST_PAUSE_MS = 2000;
/** Events that change what is there, rather than how it fares. */
const LISTED = /^(create|start|die|destroy|rename)$/;
/** Podman's words for the same. */
const PODMAN: Readonly<Record<string, string>> = { died: 'die', remove: 'destroy' };

export class Inventory implements Disposable {
  readonly #options: InventoryOptions;
  readonly #byEngine = new Map<Engine, readonly Found[]>();
  readonly #closing = new AbortController();
  readonly #due = new Map<Engine, NodeJS.Timeout>();

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  all(): Found[] {
    return [...this.#byEngine.values()].flat();
  }

  find(id: string): Found | undefined {
    return this.all().find((found) => found.id === id);
  }

  /** Lists an engine's containers now, and follows its events from now on. */
  async follow(engine: Engine): Promise<void> {
    const since = Date.now() * 1e6;
    await this.list(engine);
    void this.#listen(engine, since);
  }

  /** It was removed: what the last listing said is no longer so. */
  forget(id: string): void {
    for (const [engine, list] of this.#byEngine)
      this.#byEngine.set(
        engine,
        list.filter((found) => found.id !== id),
      );
  }

  async list(engine: Engine): Promise<void> {
    const filters = { label: ownFilter(this.#options.owner) };
    const containers = await engine.docker.listContainers({ all: true, filters });
    this.#byEngine.set(
      engine,
      containers.flatMap((container) => foundOf(engine, container)),
    );
    this.#options.onListed(engine);
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
    for (const timer of this.#due.values()) clearTimeout(timer);
  }

  /**
   * After a break the events of the meantime are asked for, and everything is listed in case the engine forgot them.
   * @param from ns since 1970
   */
  async #listen(engine: Engine, from: number): Promise<void> {
    const { signal } = this.#closing;
    let last = 0;
    let again = false;
    for (let wait = SETTLE_MS; !signal.aborted; wait = Math.min(wait * 2, LAST_PAUSE_MS)) {
      try {
        const filters = JSON.stringify({ type: ['container'], label: ownFilter(this.#options.owner) });
        const stream = await eventStream(engine, {
          filters,
          since: (last || from) / 1e9,
          abortSignal: signal,
        });
        wait = SETTLE_MS;
        if (again) this.#options.onBack(engine);
        again = true;
        this.#listSoon(engine, 0);
        for await (const line of createInterface({ input: stream, signal })) {
          const event = JSON.parse(line) as RawEvent;
          // One that was heard already says nothing new: what we did ourselves would look like somebody else's doing.
          if (event.timeNano !== undefined && event.timeNano <= last) continue;
          last = event.timeNano ?? last;
          this.#heard(engine, event);
        }
      } catch (error) {
        if (!signal.aborted) this.#options.log('debug', `events of ${engine.name}: ${messageOf(error)}`);
      }
      await pause(wait * (0.75 + Math.random() / 2), signal).catch(() => {});
    }
  }

  #heard(engine: Engine, event: RawEvent): void {
    const { Action: told = '', Actor: { ID: containerId = '', Attributes: labels = {} } = {} } = event;
    const action = PODMAN[told] ?? told;
    this.#options.onEvent({ action, containerId, instance: instanceOf(labels)?.id });
    if (LISTED.test(action)) this.#listSoon(engine, SETTLE_MS);
  }

  #listSoon(engine: Engine, ms: number): void {
    clearTimeout(this.#due.get(engine));
    const list = async (): Promise<void> => {
      try {
        await this.list(engine);
      } catch (error) {
        this.#options.log('debug', `listing ${engine.name}: ${messageOf(error)}`);
      }
      if (!this.#closing.signal.aborted) this.#listSoon(engine, RELIST_MS);
    };
    this.#due.set(engine, setTimeout(() => void list(), ms).unref());
  }
}

/** The types of dockerode leave out that a stream can be aborted. */
async function eventStream(
  engine: Engine,
  options: GetEventsOptions & { abortSignal: AbortSignal },
): Promise<Readable> {
  return (await engine.docker.getEvents(options)) as Readable;
}

function foundOf(engine: Engine, container: ContainerInfo): Found[] {
  const instance = instanceOf(container.Labels);
  if (!instance) return [];
  const name = container.Names[0]?.replace(/^\//, '') ?? container.Id;
  const networks = Object.keys(container.NetworkSettings?.Networks ?? {});
  return [{ engine, containerId: container.Id, name, running: container.State === 'running', networks, ...instance }];
}

function instanceOf(labels: Record<string, string>): Pick<Found, 'id' | 'address' | 'hash' | 'index'> | undefined {
  const { [LABEL.address]: address, [LABEL.server]: server, [LABEL.hash]: hash, [LABEL.replica]: replica } = labels;
  if (address === undefined || server === undefined || hash === undefined || replica === undefined) return undefined;
  const index = Number(replica);
  return { id: instanceName({ name: server, hash }, index), address, hash, index };
}
