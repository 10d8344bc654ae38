/** Keeps workspaces as they should be: by their schedules, when a forge tells of a push, and when somebody asks. */
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import { suggest } from '../../schemas/suggest.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import { limiter } from '../async.ts';
import { follow } from '../schedule.ts';
import { checkOut } from './checkout.ts';
import { lookAt } from './folder.ts';
import { Shelf } from './shelf.ts';
import type { GitOrigin, WorkspaceFacts, WorkspaceSpec } from './spec.ts';

export interface WorkspacesOptions {
  /** Where trees and mirrors lie. */
  readonly dir: string;
  readonly secrets: OpenSecret;
  readonly log: Log;
  /** Called after something became another way. */
  readonly changed: () => void;
}

/** What came of a look at one of them. */
export interface WorkspaceSynced {
  readonly name: string;
  readonly commit?: string;
  readonly files?: number;
  /** Whether there is another tree now. */
  readonly changed: boolean;
  readonly error?: SlipwayError;
}

/** Fetching and writing are heavy: so many at once. */
const CONCURRENCY = 2;

export class Workspaces implements AsyncDisposable {
  readonly #options: WorkspacesOptions;
  readonly #stop = new AbortController();
  readonly #limit = limiter(CONCURRENCY);
  readonly #all = new Map<string, Workspace>();
  readonly #ending = new Map<string, Promise<void>>();
  #configured = '';

  constructor(options: WorkspacesOptions) {
    this.#options = options;
  }

  /** Says which there are to be. New and changed ones are synced at once; those that are gone leave nothing behind. */
  configure(specs: readonly WorkspaceSpec[]): void {
    const wanted = JSON.stringify(specs);
    if (wanted === this.#configured || this.#stop.signal.aborted) return;
    this.#configured = wanted;
    const names = new Set(specs.map(({ name }) => name));
    try {
      for (const name of this.#all.keys()) if (!names.has(name)) this.#end(name);
      Shelf.sweep(this.#options.dir, new Set([...names, ...this.#ending.keys()]));
      for (const spec of specs) this.#set(spec);
    } catch (error) {
      // A full disk, say: it must not keep the config from being served.
      this.#configured = '';
      this.#options.log('error', `workspaces: ${toSlipwayError(error).message}`);
    }
  }

  #set(spec: WorkspaceSpec): void {
    const known = this.#all.get(spec.name);
    if (known && JSON.stringify(known.spec) === JSON.stringify(spec)) return;
    if (known) this.#end(spec.name);
    const before = this.#ending.get(spec.name);
    const workspace = new Workspace(spec, this.#options, (work) => this.#limit(work), before);
    this.#all.set(spec.name, workspace);
    void workspace.sync();
  }

  /** What takes its name later waits for its end. */
  #end(name: string): void {
    const workspace = this.#all.get(name);
    if (!workspace) return;
    this.#all.delete(name);
    this.#ending.set(name, this.#forget(name, workspace));
  }

  async #forget(name: string, workspace: Workspace): Promise<void> {
    await workspace.end();
    if (this.#all.has(name) || this.#stop.signal.aborted) return;
    this.#ending.delete(name);
    workspace.shelf.remove();
  }

  /**
   * Looks at some of them, or all. One that fails stops no other.
   * @throws SlipwayError not-found for a name that there is not
   */
  async sync(names: readonly string[] = []): Promise<WorkspaceSynced[]> {
    const wanted = names.map((name) => this.#named(name));
    return Promise.all((names.length > 0 ? wanted : [...this.#all.values()]).map((workspace) => workspace.sync()));
  }

  #named(name: string): Workspace {
    const found = this.#all.get(name);
    if (found) return found;
    const nearest = suggest(name, this.#all.keys());
    throw new SlipwayError('not-found', `There is no Workspace named ${name}.`, {
      hint: nearest === undefined ? 'See `slipway get workspaces`.' : `Did you mean ${nearest}?`,
    });
  }

  /** A forge told of a push. @param repository `owner/name` @returns the names of those that are looked at */
  pushed(repository: string, ref: string): string[] {
    const concerned = [...this.#all.values()].filter(({ spec }) => concerns(spec, repository, ref));
    for (const workspace of concerned) void workspace.sync();
    return concerned.map(({ spec }) => spec.name);
  }

  facts(): WorkspaceFacts[] {
    return [...this.#all.values()].map((workspace) => workspace.facts());
  }

  /** A tree that stays for as long as somebody reads it; `undefined` where there is none yet. */
  lease(name: string): ReturnType<Shelf['lease']> {
    return this.#all.get(name)?.shelf.lease();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SlipwayError('shutting-down'));
    await Promise.all([...this.#ending.values(), ...[...this.#all.values()].map((workspace) => workspace.end())]);
  }
}

class Workspace {
  readonly spec: WorkspaceSpec;
  readonly shelf: Shelf;
  readonly #options: WorkspacesOptions;
  readonly #inTurn: (work: () => Promise<WorkspaceSynced>) => Promise<WorkspaceSynced>;
  readonly #stop = new AbortController();
  readonly #clock: Disposable;
  readonly #before: Promise<void>;
  #running: Promise<WorkspaceSynced> | undefined;
  #error: SlipwayError | undefined;

  /** @param before resolves when what was there under its name has ended */
  constructor(
    spec: WorkspaceSpec,
    options: WorkspacesOptions,
    inTurn: (work: () => Promise<WorkspaceSynced>) => Promise<WorkspaceSynced>,
    before: Promise<void> = Promise.resolve(),
  ) {
    this.spec = spec;
    this.#options = options;
    this.#inTurn = inTurn;
    this.#before = before;
    this.shelf = new Shelf(options.dir, spec);
    this.#clock = follow(spec.schedule, () => void this.sync(), spec.timeZone);
  }

  /** Never rejects. Who asks while it is looked at gets the same answer. */
  sync(): Promise<WorkspaceSynced> {
    this.#running ??= this.#inTurn(() => this.#sync()).finally(() => {
      this.#running = undefined;
      this.#options.changed();
    });
    this.#options.changed();
    return this.#running;
  }

  async #sync(): Promise<WorkspaceSynced> {
    const { name, from, timeoutMs } = this.spec;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      await this.#before;
      signal.throwIfAborted();
      const found =
        from.type === 'path' ? await lookAt(this.spec, from.path, signal) : await this.#checkOut(from, signal);
      const changed = await this.shelf.put(found);
      this.#error = undefined;
      const { commit, files } = found.tree;
      if (changed)
        this.#options.log('info', `workspace ${name} has ${files} files`, commit === undefined ? {} : { commit });
      return { name, files, changed, ...(commit === undefined ? {} : { commit }) };
    } catch (error) {
      const isLate = signal.aborted && !this.#stop.signal.aborted;
      this.#error = isLate
        ? new SlipwayError('source-unreachable', `It was not there within ${timeoutMs / 1000} s.`)
        : toSlipwayError(error);
      if (!this.#stop.signal.aborted) this.#options.log('warn', `workspace ${name}: ${this.#error.message}`);
      return { name, changed: false, error: this.#error };
    }
  }

  #checkOut(from: GitOrigin, signal: AbortSignal): ReturnType<typeof checkOut> {
    const { secrets } = this.#options;
    const { root, tree: current } = this.shelf;
    return checkOut({ spec: { ...this.spec, from }, root, secrets, current }, signal);
  }

  facts(): WorkspaceFacts {
    const { tree, syncedAt, path } = this.shelf;
    return {
      spec: this.spec,
      path,
      isSyncing: this.#running !== undefined,
      ...(tree ? { tree } : {}),
      ...(syncedAt === undefined ? {} : { syncedAt }),
      ...(this.#error ? { error: this.#error } : {}),
    };
  }

  async end(): Promise<void> {
    this.#clock[Symbol.dispose]();
    this.#stop.abort(new SlipwayError('shutting-down'));
    await this.#running;
  }
}

/** Whether a push to a ref of a repository is about a workspace. */
function concerns({ from, onWebhook }: WorkspaceSpec, repository: string, ref: string): boolean {
  if (from.type !== 'git' || !onWebhook || repository === '') return false;
  const path = from.url
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .toLowerCase();
  const isSame = [`/${repository}`, `:${repository}`].some((end) => path.endsWith(end.toLowerCase()));
  const { ref: wanted } = from;
  return isSame && (wanted === undefined || [wanted, `refs/heads/${wanted}`, `refs/tags/${wanted}`].includes(ref));
}
