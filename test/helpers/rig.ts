/** A whole reconciler on real parts: a source, drivers, a state directory, and a gateway as small as one can be. */
import { expect } from 'vitest';
import { startGateway, type Gateway } from '../../gateway/index.ts';
import { Backups } from '../../reconciler/backup/backups.ts';
import type { Driver } from '../../reconciler/drivers/driver.ts';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { openDrivers, type Drivers } from '../../reconciler/drivers/index.ts';
import { memoryDriver, type MemoryDriver, type MemoryOptions } from '../../reconciler/drivers/memory.ts';
import { openJournal } from '../../reconciler/journal.ts';
import { connectHttp } from '../../reconciler/health/http.ts';
import type { Traffic } from '../../reconciler/publish.ts';
import { Reconciler, type ReconcilerOptions } from '../../reconciler/reconciler.ts';
import { Reviews, type ReviewsOptions } from '../../reconciler/review/reviews.ts';
import { gitRecorder, noRecorder } from '../../reconciler/record/recorder.ts';
import { gitSource } from '../../reconciler/source/git.ts';
import { openState, type StateDir } from '../../reconciler/state.ts';
import type { Log } from '../../schemas/log.ts';
import type { Connect, Connection } from '../../schemas/peer.ts';
import type { Endpoint, Snapshot } from '../../schemas/snapshot.ts';
import { brokenInvariants, statusSchema, type Status } from '../../schemas/status.ts';
import { sweep } from './engine.ts';
import { callTool, initialize } from './mcp.ts';
import { TestRepo } from './repo.ts';
import { tempDir } from './temp.ts';
import { until } from './until.ts';

export interface RigOptions extends Partial<Pick<ReconcilerOptions, 'intervalMs' | 'resyncMs' | 'source'>> {
  /** Where an earlier rig left its state. */
  readonly stateDir?: string;
  readonly repo?: TestRepo;
  readonly memory?: MemoryOptions;
  /** A real gateway in the place of the small one. */
  readonly gateway?: boolean;
  /** What the gateway says against a snapshot: throws. */
  readonly refuse?: (snapshot: Snapshot) => void;
  /** Make backups where the config asks for them. */
  readonly backups?: boolean;
  /** Write audit records to the repo. */
  readonly record?: boolean;
  /** Listen to a forge: at the real gateway, and by `rig.reviews`. */
  readonly reviews?: Pick<ReviewsOptions, 'secrets' | 'pausesMs' | 'now'>;
  /** Where containers are made: what is left of them there goes at the end. */
  readonly engine?: Engine;
}

const HOUR = 3_600_000;

export class Rig implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #calls = new Set<{ readonly endpoint: string; readonly answer: Promise<unknown> }>();
  readonly #tallies = new Map<string, { calls: number; errors: number }>();
  readonly #listeners = new Set<() => void>();
  readonly repo: TestRepo;
  readonly state: StateDir;
  readonly memory: MemoryDriver;
  readonly snapshots: Snapshot[] = [];
  readonly statuses: Status[] = [];
  readonly logs: string[] = [];
  #drivers: Drivers | undefined;
  #turn = 0;
  readonly #real: boolean;
  readonly #refuse: RigOptions['refuse'];
  #gateway: Gateway | undefined;
  #reconciler: Reconciler | undefined;
  reviews: Reviews | undefined;

  static async make(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    await rig.#compose(options);
    return rig;
  }

  private constructor(options: RigOptions) {
    this.#real = options.gateway ?? false;
    this.#refuse = options.refuse;
    this.repo = options.repo ?? this.#stack.use(new TestRepo());
    const root = options.stateDir ?? this.#stack.use(tempDir()).at('state');
    this.state = this.#stack.use(openState(root));
    const { engine } = options;
    if (engine) this.#stack.defer(() => sweep(engine, this.state.owner));
    this.memory = this.#stack.use(memoryDriver(options.memory));
  }

  async #compose({ record, intervalMs = HOUR, resyncMs = HOUR, ...options }: RigOptions): Promise<void> {
    const { state, repo, log } = this;
    const journal = this.#stack.use(openJournal(state.paths.journal));
    const drivers = this.#stack.use(await openDrivers({ state, journal, log, version: 'test' }));
    this.#drivers = drivers;
    const { outbox, records: repository } = state.paths;
    const recorder = record ? gitRecorder({ outbox, repository, remote: repo.url, log }) : noRecorder;
    this.#reconciler = new Reconciler({
      source: options.source ?? gitSource({ url: repo.url, ref: 'main', mirror: state.paths.mirror }),
      drivers: [this.memory, ...drivers.all],
      state,
      recorder: this.#stack.use(recorder),
      ...(options.backups ? { backups: this.#stack.use(this.#backups()) } : {}),
      publish: (snapshot) => this.#publish(snapshot),
      log,
      version: 'test',
      intervalMs,
      resyncMs,
      review: () => this.reviews?.status(),
      ...(options.reviews ? { secrets: options.reviews.secrets } : {}),
      onStatus: (status) => this.#noteStatus(status),
    });
    const reconciler = this.#stack.use(this.#reconciler);
    const { reviews } = options;
    if (!reviews) return;
    const { world } = reconciler;
    this.reviews = this.#stack.use(
      new Reviews({ ...reviews, world, sync: () => reconciler.sync(), key: state.sessionKey }),
    );
  }

  #backups(): Backups {
    const { state, repo, log } = this;
    return new Backups({ dir: state.paths.backups, remote: repo.url, log, version: 'test' });
  }

  get reconciler(): Reconciler {
    if (!this.#reconciler) throw new Error('not composed');
    return this.#reconciler;
  }

  /** The process driver. */
  get driver(): Driver {
    return this.#driverOf('process');
  }

  get docker(): Driver {
    return this.#driverOf('docker');
  }

  #driverOf(wanted: string): Driver {
    const driver = this.#drivers?.all.find(({ name }) => name === wanted);
    if (!driver) throw new Error('not composed');
    return driver;
  }

  get snapshot(): Snapshot {
    const last = this.snapshots.at(-1);
    if (!last) throw new Error('nothing was published');
    return last;
  }

  /** Pushes the files as a commit, and looks at the source. */
  async apply(files: Parameters<TestRepo['push']>[0], options: { retry?: boolean } = {}): Promise<string> {
    const id = this.repo.push(files);
    await this.reconciler.sync(options);
    return id;
  }

  /** A condition of a server, as `status=reason`. */
  async condition(name: string, type = 'Ready'): Promise<string | undefined> {
    const { servers } = await this.reconciler.status();
    const found = servers.find((entry) => entry.name === name)?.conditions.find((entry) => entry.type === type);
    return found && `${found.status}=${found.reason}`;
  }

  async overall(type = 'Ready'): Promise<string | undefined> {
    const found = (await this.reconciler.status()).conditions.find((entry) => entry.type === type);
    return found && `${found.status}=${found.reason}`;
  }

  /** Resolves once a condition of a server, as a status told it, is that. */
  told(name: string, wanted: string): Promise<void> {
    const isTold = (): boolean => {
      const conditions = this.statuses.at(-1)?.servers.find((entry) => entry.name === name)?.conditions ?? [];
      return conditions.some((entry) => `${entry.type}:${entry.status}=${entry.reason}` === wanted);
    };
    return this.untilStatus(isTold);
  }

  /** Resolves once `condition` holds after a status write or a published snapshot. */
  untilStatus(condition: () => boolean): Promise<void> {
    const subscribe = (listener: () => void): Disposable => {
      this.#listeners.add(listener);
      return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
    };
    return until(subscribe, condition);
  }

  /** Calls a tool through what is published now, as the gateway would. */
  call(name: string, tool: string, args: Record<string, unknown> = {}): Promise<string> {
    const { endpoints = [] } = this.snapshot.servers[name] ?? {};
    const endpoint = endpoints[this.#turn++ % endpoints.length];
    if (!endpoint) return Promise.reject(new Error(`${name} has no endpoint`));
    const answer = this.#dial(endpoint).then(async (connection) => {
      try {
        return await callTool(connection, tool, args);
      } finally {
        connection.close();
      }
    });
    const call = { endpoint: endpoint.id, answer };
    this.#calls.add(call);
    void answer.then(
      () => this.#ended(call, false),
      () => this.#ended(call, true),
    );
    return answer;
  }

  #ended(call: { readonly endpoint: string; readonly answer: Promise<unknown> }, failed: boolean): void {
    this.#calls.delete(call);
    const { calls, errors } = this.#tallies.get(call.endpoint) ?? { calls: 0, errors: 0 };
    this.#tallies.set(call.endpoint, { calls: calls + 1, errors: errors + (failed ? 1 : 0) });
  }

  async #dial(endpoint: Endpoint): Promise<Connection> {
    const local = this.#drivers?.connect(endpoint.id, {}) ?? this.memory.connect?.(endpoint.id, {});
    if (!local) return connectHttp(endpoint, 'test', AbortSignal.timeout(30_000));
    await initialize(local);
    return local;
  }

  /** Where the real gateway serves. */
  get url(): string {
    return this.#gateway?.url ?? '';
  }

  async #publish(snapshot: Snapshot): Promise<Traffic> {
    this.#refuse?.(snapshot);
    if (this.#real) await this.#serve(snapshot);
    this.snapshots.push(snapshot);
    for (const listener of this.#listeners) listener();
    if (this.#gateway) return this.#gateway;
    const of = (ids: readonly string[]) => [...this.#calls].filter((call) => ids.includes(call.endpoint));
    return {
      idle: async (ids) => void (await Promise.allSettled(of(ids).map((call) => call.answer))),
      tally: (id) => this.#tallies.get(id) ?? { calls: 0, errors: 0 },
    };
  }

  async #serve(snapshot: Snapshot): Promise<void> {
    if (this.#gateway) return this.#gateway.swap(snapshot);
    const { log } = this;
    const connect: Connect = (...args) => this.driver.connect?.(...args) ?? this.memory.connect?.(...args);
    const sessionKey = this.state.sessionKey;
    const hooks = this.reviews?.hooks;
    this.#gateway = await startGateway({
      snapshot,
      sessionKey,
      log,
      version: 'test',
      listen: '127.0.0.1:0',
      connect,
      ...(hooks ? { hooks } : {}),
    });
    this.#stack.use(this.#gateway);
  }

  #noteStatus(status: Status): void {
    this.statuses.push(structuredClone(status));
    for (const listener of this.#listeners) listener();
  }

  readonly log: Log = (level, message, fields) => void this.logs.push(JSON.stringify({ level, message, ...fields }));

  /** Stops everything, then checks that no status ever broke a rule. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    for (const status of this.statuses) {
      expect(statusSchema.safeParse(status).error).toBeUndefined();
      for (const holder of [status, ...status.servers])
        expect({ conditions: holder.conditions, broken: brokenInvariants(holder.conditions) }).toMatchObject({
          broken: [],
        });
    }
  }
}
