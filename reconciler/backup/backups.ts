/** Makes backups when they are due or somebody asks: to this host's disk at once, to git when it can. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { backup as kind, type BackupSpec } from '../../schemas/kinds/backup.ts';
import type { Log } from '../../schemas/log.ts';
import type { Status } from '../../schemas/status.ts';
import { gitRecorder, type Recorder } from '../record/recorder.ts';
import { follow, lastDue, nextDue } from '../schedule.ts';
import { readJson, writeAtomically } from '../state.ts';
import type { World } from '../world.ts';
import { git } from '../source/git-command.ts';
import { contentsOf, MANIFEST, sha256, type Manifest } from './contents.ts';
import { thin } from './thin.ts';
import type { Lender } from './workspace-files.ts';

export interface BackupsOptions {
  /** In the state directory. */
  readonly dir: string;
  /** The config repo; absent where it is none, and then backups stay in `dir` unless the config names a repo. */
  readonly remote: string | undefined;
  readonly log: Log;
  readonly version: string;
  readonly workspaces?: () => Lender;
}

/** What came of one. */
export interface BackupResult {
  readonly name: string;
  /** False where the last one holds the same already. */
  readonly made: boolean;
  readonly resources: number;
  readonly masked: Manifest['masked'];
  readonly left: Manifest['left'];
  /** Whether the remote has it; else it waits. */
  readonly delivered: boolean;
  readonly error?: string;
}

interface Last {
  readonly name: string;
  readonly at: string;
  readonly digest: string;
}

export class Backups implements AsyncDisposable {
  readonly #options: BackupsOptions;
  readonly #notes: string;
  readonly #stop = new AbortController();
  #recorder: Recorder | undefined;
  /** Of the config in force; undefined where it has no Backup. */
  #spec: BackupSpec | undefined;
  #timer: Disposable | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #failure: string | undefined;

  constructor(options: BackupsOptions) {
    this.#options = options;
    this.#notes = join(options.dir, 'last.json');
    mkdirSync(join(options.dir, 'outbox'), { recursive: true, mode: 0o700 });
  }

  /** What was accepted is in force. A backup that fell due while Slipway was away is made now. */
  follow(world: World): void {
    const spec = specIn(world);
    if (JSON.stringify(spec) === JSON.stringify(this.#spec)) return;
    const [before, now] = [this.#spec, new Date()];
    this.#spec = spec;
    this.#timer?.[Symbol.dispose]();
    this.#timer = spec && follow(spec.schedule, () => void this.#due(world), spec.timeZone);
    if (before && (before.repo !== spec?.repo || before.branch !== spec?.branch)) this.#leaveRecorder();
    // What an earlier run could not deliver.
    if (spec) void this.#recorderFor(spec).flush();
    const due = spec && lastDue(spec.schedule, now, spec.timeZone);
    const last = this.#last();
    if (due && last && Date.parse(last.at) < due.getTime()) void this.#due(world);
  }

  /**
   * Makes one now, unless the last one holds the same, and waits until it is delivered or could not be.
   * @throws SlipwayError not-found where the config has no Backup, or nothing was applied yet; else as reading the source does
   */
  now(world: World): Promise<BackupResult> {
    const one = this.#running.then(() => this.#make(world));
    this.#running = one.catch(() => {});
    return one;
  }

  state(): Status['backup'] {
    const spec = this.#spec;
    if (!spec) return undefined;
    const { pending = 0, lastError, lastCommit } = this.#recorder?.state() ?? {};
    const error = this.#failure ?? lastError;
    const last = this.#last();
    const next = nextDue(spec.schedule, new Date(), spec.timeZone);
    return {
      ...(last ? { last: last.name, lastAt: last.at } : {}),
      ...(lastCommit === undefined ? {} : { lastCommit }),
      ...(next ? { next: next.toISOString() } : {}),
      pending,
      ...(error === undefined ? {} : { lastError: error }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SlipwayError('shutting-down'));
    this.#timer?.[Symbol.dispose]();
    await this.#running;
    await this.#recorder?.[Symbol.asyncDispose]();
  }

  async #due(world: World): Promise<void> {
    try {
      await this.now(world);
      this.#failure = undefined;
    } catch (error) {
      this.#failure = toSlipwayError(error).message;
      if (!this.#stop.signal.aborted) this.#options.log('error', `the backup failed: ${this.#failure}`);
    }
    world.changed();
  }

  async #make(world: World): Promise<BackupResult> {
    const [spec, commit] = [specIn(world), world.accepted];
    if (!spec)
      throw new SlipwayError('not-found', 'The config has no Backup.', {
        hint: 'Add one: `slipway create backup nightly`.',
      });
    if (!commit) throw new SlipwayError('not-found', 'Nothing was applied yet.', { hint: 'See `slipway status`.' });
    const { source, compiled } = world;
    const found = await contentsOf({
      source,
      commit,
      resources: compiled.resources,
      workspaces: spec.workspaces,
      lender: this.#options.workspaces?.(),
      signal: this.#stop.signal,
    });
    const last = this.#last();
    const recorder = this.#recorderFor(spec);
    const made = last?.digest !== found.digest || !(await this.#isThere(spec));
    const at = new Date().toISOString();
    const name = made ? nameOf(at) : last.name;
    if (made) {
      const { audit } = world;
      const manifest: Manifest = {
        formatVersion: 1,
        name,
        at,
        commit,
        source: source.description,
        ...(source.environment === undefined ? {} : { environment: source.environment }),
        version: this.#options.version,
        resources: compiled.resources.length,
        files: found.files,
        left: found.left,
        masked: found.masked,
        ...(audit ? { audit: { events: audit.state().events, head: audit.state().head } } : {}),
      };
      recorder.commit({
        at,
        subject: `backup of ${commit.id.slice(0, 8)}: ${compiled.resources.length} resources`,
        trailers: [`Slipway-Backup: ${name}`, `Slipway-Commit: ${commit.id}`, `Slipway-Digest: ${found.digest}`],
        path: name,
        content: '',
        tree: [...found.tree, { path: MANIFEST, content: `${JSON.stringify(manifest, null, 2)}\n` }],
      });
      // After the outbox has it: a crash in between makes one too many, never one too few.
      writeAtomically(this.#notes, JSON.stringify({ name, at, digest: found.digest } satisfies Last));
    }
    await recorder.flush();
    const { pending, lastError } = recorder.state();
    if (pending === 0) await this.#thin(spec);
    this.#options.log('info', made ? 'backed up' : 'nothing to back up: the last backup holds the same', { name });
    world.changed();
    return {
      name,
      made,
      resources: compiled.resources.length,
      masked: found.masked,
      left: found.left,
      delivered: pending === 0,
      ...(lastError === undefined ? {} : { error: lastError }),
    };
  }

  /** A remote that takes no change of history keeps them all: that is told, and harms nothing. */
  async #thin({ keep, branch }: BackupSpec): Promise<void> {
    const mirror = this.#repository();
    try {
      await thin({ mirror, remote: this.#remote() ?? mirror, branch }, keep, this.#stop.signal);
    } catch (error) {
      this.#options.log('warn', `older backups stay: ${toSlipwayError(error).message}`);
    }
  }

  /** Somebody may have deleted the branch; a remote that cannot be asked may have it. */
  async #isThere({ branch }: BackupSpec): Promise<boolean> {
    const remote = this.#remote() ?? this.#repository();
    const asked = git(['ls-remote', '--quiet', '--', remote, `refs/heads/${branch}`], { signal: this.#stop.signal });
    return (await asked.catch(() => branch)) !== '';
  }

  /** Where commits are built: one for each remote, so that none finds what another one left. */
  #repository(): string {
    const remote = sha256(this.#remote() ?? '').slice(0, 8);
    return join(this.#options.dir, `${remote}.git`);
  }

  #remote(): string | undefined {
    return this.#spec?.repo ?? this.#options.remote;
  }

  #recorderFor({ branch }: BackupSpec): Recorder {
    const { dir, log } = this.#options;
    this.#recorder ??= gitRecorder({
      outbox: join(dir, 'outbox'),
      repository: this.#repository(),
      remote: this.#remote(),
      branch,
      what: 'backups',
      log,
    });
    return this.#recorder;
  }

  /** What waits is in the outbox, for the next one. */
  #leaveRecorder(): void {
    const before = this.#recorder;
    this.#recorder = undefined;
    this.#running = this.#running.then(() => before?.[Symbol.asyncDispose]());
  }

  #last(): Last | undefined {
    return readJson(this.#notes) as Last | undefined;
  }
}

function specIn({ compiled }: World): BackupSpec | undefined {
  return compiled.resources.find((resource) => resource.kind === kind.kind)?.spec as BackupSpec | undefined;
}

/** `2026-11-21T03:00:00.123Z` → `20261121T030000123Z`. */
const nameOf = (at: string): string => at.replaceAll(/[-:.]/g, '');
