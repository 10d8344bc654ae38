/** `slipway up`: the reconciler and the gateway in one process. One of the few places where rooms are put together. */
import { resolve } from 'node:path';
import { contextOf, startGateway, type Gateway } from '../../gateway/index.ts';
import {
  AuditLog,
  AuditReader,
  Backups,
  control,
  emptySnapshot,
  gitRecorder,
  noRecorder,
  NO_TRAFFIC,
  openJournal,
  remembering,
  secretOpener,
  openDrivers,
  openState,
  Reconciler,
  Reviews,
  TextFiles,
  type Publish,
  type Recorder,
  type StateDir,
  Workspaces,
  storeFile,
} from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { duration, timerMs } from '../../schemas/kinds/fields.ts';
import { parseListen } from '../../schemas/listen.ts';
import type { Log } from '../../schemas/log.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';
import { conditionOf } from '../../schemas/status.ts';
import { ENVIRONMENT_OPTION, FLOOR_OPTION, SOURCE_OPTIONS, text, type Command, type Invocation } from '../command.ts';
import { keepHeapSmall, keepTickShape, keepYoung } from '../heap.ts';
import { floorOf, placeOf, stateDirOf } from '../place.ts';
import { openSource } from '../source.ts';
import { VERSION } from '../version.ts';

/** Between two looks at the config repo: a git host is asked by many (ms). */
const MIN_INTERVAL = 100;

export const command: Command = {
  summary: 'reconcile a config repo and serve its MCP routes',
  options: [
    ...SOURCE_OPTIONS,
    FLOOR_OPTION,
    ENVIRONMENT_OPTION,
    { flags: '--listen <address>', description: 'host:port to listen on, whatever the Gateway resource says' },
    { flags: '--interval <duration>', description: 'how often to look at the config repo', default: '30s' },
    { flags: '--state-dir <dir>', description: 'where to keep state (default: one per repo, below $XDG_STATE_HOME)' },
    { flags: '--once', description: 'apply once, tell how it went, and stop' },
    { flags: '--no-record', description: 'write no audit commits' },
  ],
  examples: ['slipway up', 'slipway up --repo https://git.example.com/platform/mcp.git --ref main --path prod'],

  async run({ options, io }: Invocation): Promise<number> {
    const interval = text(options, 'interval') ?? '30s';
    if (!duration.safeParse(interval).success || timerMs(interval) < MIN_INTERVAL)
      throw new SlipwayError('usage', `--interval ${interval} is no duration such as 30s, of 100ms at least.`);
    // Before anything starts that could not be reached.
    const wanted = text(options, 'listen');
    if (wanted !== undefined) parseListen(wanted);
    const floor = floorOf(options, io);
    const place = placeOf(text(options, 'repo') ?? '.', io.cwd);
    await using stack = new AsyncDisposableStack();
    stack.use(keepHeapSmall());
    keepTickShape();
    keepYoung();
    const state = stack.use(openState(resolve(stateDirOf(options, place, io))));
    const source = stack.use(openSource(options, place, state.paths.mirror, io.log));
    const recorder = stack.use(options['record'] === false ? noRecorder : recorderFor(state, source.remote, io.log));
    const journal = stack.use(openJournal(state.paths.journal));
    const drivers = stack.use(await openDrivers({ state, journal, log: io.log, version: VERSION }));
    const audit = stack.use(
      new AuditLog({
        dir: state.paths.audit,
        recorder,
        log: io.log,
        onState: () => reconciler.world.changed(),
      }),
    );
    const door = new Door(({ gateway }) => {
      audit.configure(gateway.audit);
      workspaces.configure(reconciler.world.compiled.workspaces);
      if (gateway.logging) io.logger?.configure(gateway.logging);
    });
    const backups = stack.use(
      new Backups({
        dir: state.paths.backups,
        remote: source.remote,
        log: io.log,
        version: VERSION,
        workspaces: () => workspaces,
      }),
    );
    const reconciler: Reconciler = stack.use(
      new Reconciler({
        source,
        drivers: drivers.all,
        state,
        recorder,
        audit,
        backups,
        log: io.log,
        version: VERSION,
        ...(floor === undefined ? {} : { floor }),
        intervalMs: timerMs(interval),
        publish: door.publish,
        contextOf,
        gatewayUrl: () => door.gateway?.url,
        spoken: (server) => door.gateway?.era(server),
        lastUsed: () => door.lastUsed(),
        upstreams: (server) => door.gateway?.upstreams(server) ?? [],
        budgets: () => door.gateway?.budgets() ?? [],
        llms: () => door.gateway?.llms,
        cache: () => door.gateway?.cache,
        links: () => door.gateway?.links() ?? new Map(),
        lists: () => door.gateway,
        unlisted: (server) => door.gateway?.unlisted(server) ?? {},
        review: () => reviews.status(),
        secrets: secretOpener(state.paths),
        workspaces: () => workspaces,
      }),
    );
    const workspaces: Workspaces = stack.use(
      new Workspaces({
        dir: state.paths.workspaces,
        secrets: secretOpener(state.paths),
        log: io.log,
        changed: () => reconciler.world.changed(),
      }),
    );
    const reviews: Reviews = stack.use(
      new Reviews({
        world: reconciler.world,
        sync: () => reconciler.sync(),
        pushed: (repository, ref) => workspaces.pushed(repository, ref),
        secrets: secretOpener(state.paths),
        key: state.sessionKey,
      }),
    );
    io.log('info', `following ${source.description}`, { state: state.root });
    if (options['once']) {
      return await Promise.race([once(reconciler, io.log), interrupted(io.signal).then(() => 130)]);
    }

    const reader = stack.use(
      new AuditReader({
        dir: state.paths.audit,
        repository: state.paths.records,
        branch: () => audit.branch,
        flush: () => audit.flush(),
      }),
    );
    await Promise.race([reconciler.start(), interrupted(io.signal)]);
    if (io.signal.aborted) return 130;
    const listen = text(options, 'listen');
    stack.use(
      await door.open((snapshot) =>
        startGateway({
          snapshot,
          sessionKey: state.sessionKey,
          log: io.log,
          version: VERSION,
          socketPath: state.paths.control,
          hooks: reviews.hooks,
          control: control(reconciler, { log: audit, reader }),
          audit,
          budgets: storeFile(state.paths.budgets),
          sessions: storeFile(state.paths.sessions),
          texts: new TextFiles({ dir: state.paths.cache, log: io.log }),
          metrics: reconciler.metrics,
          listed: () => reconciler.world.changed(),
          ready: () => reconciler.world.published,
          connect: drivers.connect,
          secrets: remembering(secretOpener(state.paths)),
          vault: { dir: state.paths.vault, key: state.vaultKey },
          ...(listen === undefined ? {} : { listen }),
        }),
      ),
    );
    io.log('info', `serving ${door.gateway?.url}/mcp`);
    await interrupted(io.signal);
    io.log('info', 'stopping: no new calls, running ones may finish');
    return 0;
  },
};

function recorderFor({ paths }: StateDir, remote: string | undefined, log: Log): Recorder {
  return gitRecorder({ outbox: paths.outbox, repository: paths.records, remote, log });
}

async function once(reconciler: Reconciler, log: Log): Promise<number> {
  const { commit } = await reconciler.sync();
  const ready = conditionOf(await reconciler.status(), 'Ready');
  log(ready?.status === 'True' ? 'info' : 'error', ready?.message ?? '', { commit: commit.id.slice(0, 8) });
  return ready?.status === 'True' ? 0 : 1;
}

/**
 * Where snapshots go. The gateway can be opened only when there is one (it says where to listen), so until then the
 * newest is kept.
 */
class Door {
  gateway: Gateway | undefined;
  #latest: Snapshot | undefined;
  readonly #onSnapshot: (snapshot: Snapshot) => void;

  /** @param onSnapshot hears of each, for what else follows the config */
  constructor(onSnapshot: (snapshot: Snapshot) => void) {
    this.#onSnapshot = onSnapshot;
  }

  /** Of the gateway that runs, or that ran: what it knows is written down after its end. */
  lastUsed(): ReadonlyMap<string, number> {
    return this.gateway?.lastUsed() ?? new Map();
  }

  readonly publish: Publish = async (snapshot) => {
    this.#latest = snapshot;
    this.#onSnapshot(snapshot);
    await this.gateway?.swap(snapshot);
    return this.gateway ?? NO_TRAFFIC;
  };

  async open(start: (snapshot: Snapshot) => Promise<Gateway>): Promise<Gateway> {
    const first = this.#latest ?? emptySnapshot();
    const gateway = await start(first);
    this.gateway = gateway;
    if (this.#latest && this.#latest !== first) await gateway.swap(this.#latest);
    return gateway;
  }
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done();
    // A signal alone does not keep the process alive; the listeners do.
    signal.addEventListener('abort', () => done(), { once: true });
  });
}
