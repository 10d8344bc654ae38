/** The images that containers are made from: pulled or built, watched, and removed when nobody needs them any more. */
import canonicalize from 'canonicalize';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Artifact } from '../../../schemas/lock/lock.ts';
import type { Log } from '../../../schemas/log.ts';
import type { OpenSecret } from '../../../schemas/upstream-auth.ts';
import { packageText, type Pull, type Workload } from '../../workload.ts';
import type { Engine } from './engine.ts';
import { collectImages } from './images/collect.ts';
import { Flights } from './images/flights.ts';
import { npmRecipe } from './images/npm.ts';
import { ImageNotes } from './images/notes.ts';
import { presentImage, pull, type PresentImage } from './images/pull.ts';
import type { PackageProgram } from './images/recipe.ts';
import { fullName, parseReference } from './images/reference.ts';
import { engineRefusal } from './images/refusals.ts';
import { buildRunner, findRunner, runnerFor, type Runner } from './images/runner.ts';
import { TagWatch } from './images/tag-watch.ts';
import type { Owner } from './labels.ts';

/** What a container is created from: `id`, so that all of a rollout run the same, wherever tags move meanwhile. */
export type ReadyImage = PresentImage;

export interface ImagesOptions {
  readonly owner: Owner;
  /** File in the state directory. */
  readonly notes: string;
  readonly log: Log;
  /** Opens the credentials of registries. */
  readonly secrets: OpenSecret;
  /** Called when an answer of {@link Images.moved} may have changed. */
  readonly changed?: () => void;
  /** Between two looks at a tag. Default: 15 minutes. */
  readonly lookEveryMs?: number;
  /** How long an image that nobody needs stays. Default: a day. */
  readonly graceMs?: number;
}

export interface EnsureOptions {
  readonly signal: AbortSignal;
  /** Gets what a build prints: for the server's log. */
  readonly output?: (line: string) => void;
}

const QUARTER_HOUR_MS = 900_000;
const DAY_MS = 86_400_000;
const COLLECT_EVERY_MS = 600_000;

export class Images implements Disposable {
  readonly #options: ImagesOptions;
  readonly #flights = new Flights<PresentImage>();
  readonly #notes: ImageNotes;
  readonly #tags: TagWatch;
  /** When to look next, by address of the engine. */
  readonly #collectAt = new Map<string, number>();

  constructor(options: ImagesOptions) {
    const { log, notes, secrets, lookEveryMs: everyMs = QUARTER_HOUR_MS, changed = () => {} } = options;
    this.#options = options;
    this.#notes = new ImageNotes(notes);
    this.#tags = new TagWatch({ everyMs, changed, log, secrets });
  }

  /**
   * Afterwards the engine has the workload's image. An image for a package carries its program as entrypoint; the
   * package's arguments are the container's command.
   * @throws SlipwayError image-missing, registry-unreachable, image-build-failed, install-failed, engine-disk-full,
   * engine-unreachable, secret-unavailable; the signal's reason
   */
  async ensure(engine: Engine, workload: Workload, options: EnsureOptions): Promise<ReadyImage> {
    const { program } = workload.run;
    try {
      if (program.type === 'image') return await this.#pulled(engine, program.image, workload.pull, options.signal);
      if (program.type === 'package') return await this.#built(engine, program, options);
    } catch (error) {
      options.signal.throwIfAborted();
      throw engineRefusal(error);
    }
    throw new SlipwayError('start-failed', 'A command of this host cannot run in a container.', {
      hint: 'Give the server an image or a package, or leave runtime out.',
    });
  }

  /** An image with Node, for what Slipway itself runs on the engine. @returns its id @throws SlipwayError as `ensure` */
  async node(engine: Engine, signal: AbortSignal): Promise<string> {
    try {
      const { id } = await this.#pulled(engine, engine.runners.npm ?? npmRecipe.base, undefined, signal);
      return id;
    } catch (error) {
      signal.throwIfAborted();
      throw engineRefusal(error);
    }
  }

  /**
   * Whether the tag that a workload follows names another image in its registry than the one with this id, in words.
   * Undefined where that is not known yet, where nothing can move (only with `pull.policy: always` a tag is followed), and
   * where nobody wants to know (`drift: off`).
   */
  moved(engine: Engine, { run: { program }, pull: how, drift }: Workload, id: string): string | undefined {
    if (program.type !== 'image' || how?.policy !== 'always' || program.image.includes('@')) return undefined;
    if (drift === 'off') return undefined;
    return this.#tags.moved(engine, program.image, how.credentials, id);
  }

  /**
   * Removes images that were made or pulled here and that neither a workload nor a container needs any more. Looks at an
   * engine every ten minutes at most, however often it is called.
   * @param workloads all that are wanted on this engine, running or not @returns what was removed
   */
  async collect(engine: Engine, workloads: readonly Workload[], signal: AbortSignal): Promise<string[]> {
    const { owner, graceMs = DAY_MS, log } = this.#options;
    const now = Date.now();
    if (now < (this.#collectAt.get(engine.address.host) ?? now)) return [];
    this.#collectAt.set(engine.address.host, now + Math.min(graceMs, COLLECT_EVERY_MS));
    const wanted = new Set<string>();
    for (const { run } of workloads)
      for (const image of await this.#needed(engine, run.program)) if (image) wanted.add(image.id);
    return collectImages({ engine, owner, notes: this.#notes, wanted, graceMs, log, signal });
  }

  /** The image that a workload's containers are made from, as the engine has it. One that was built here is its package's. @throws SlipwayError where it does not have it, or does not answer */
  async artifact(engine: Engine, { run: { program } }: Workload): Promise<Artifact | undefined> {
    if (program.type === 'package') return { package: packageText(program) };
    if (program.type !== 'image') return undefined;
    const image = await presentImage(engine, program.image);
    if (!image) throw new SlipwayError('image-missing', `The engine does not have ${program.image}.`);
    return { image: image.reference, ...(image.digest === undefined ? { id: image.id } : { digest: image.digest }) };
  }

  async #needed(engine: Engine, program: Workload['run']['program']): Promise<(PresentImage | undefined)[]> {
    if (program.type === 'image') return [await presentImage(engine, program.image)];
    if (program.type !== 'package') return [];
    const runner = runnerFor(engine, program, this.#options.owner);
    return [await findRunner(engine, runner), await presentImage(engine, runner.base)];
  }

  async #pulled(engine: Engine, image: string, how: Pull | undefined, signal: AbortSignal): Promise<PresentImage> {
    const { policy, credentials } = how ?? { policy: 'ifNotPresent' };
    const present = await presentImage(engine, image);
    // By digest there is nothing newer.
    if (present && (policy !== 'always' || image.includes('@'))) return present;
    if (policy === 'never')
      throw new SlipwayError('image-missing', `The engine does not have ${image}, and it must not be pulled.`, {
        hint: 'Load it on the engine, or change pull.policy, which is never.',
      });
    // Whoever has other credentials must not share a refusal.
    const key = `${engine.address.host} ${fullName(parseReference(image))} ${canonicalize(credentials ?? {})}`;
    try {
      return await this.#flights.join(key, signal, (shared) => this.#pull(engine, image, credentials, shared));
    } catch (error) {
      // A passing trouble, such as a registry that is away, must not keep a server down that was killed here.
      if (!present || !(error instanceof SlipwayError) || error.row.next !== 'retry') throw error;
      this.#options.log('warn', `${image} is used as it is on the engine: ${error.message}`);
      return present;
    }
  }

  async #pull(engine: Engine, image: string, credentials: Pull['credentials'], signal: AbortSignal) {
    const { log, secrets } = this.#options;
    const { fresh, ...found } = await pull(engine, image, credentials, { log, secrets, signal });
    this.#notes.notePull(engine.address.host, found.id, fullName(parseReference(image)), fresh);
    return found;
  }

  async #built(engine: Engine, program: PackageProgram, options: EnsureOptions): Promise<PresentImage> {
    const runner = runnerFor(engine, program, this.#options.owner);
    const found = await findRunner(engine, runner);
    if (found) return found;
    const key = `${engine.address.host} ${runner.hash}`;
    return this.#flights.join(key, options.signal, (signal) => this.#build(engine, runner, { ...options, signal }));
  }

  async #build(engine: Engine, runner: Runner, { output = () => {}, signal }: EnsureOptions): Promise<PresentImage> {
    const base = await this.#pulled(engine, runner.base, undefined, signal);
    return buildRunner(engine, runner, base, { log: this.#options.log, output, signal });
  }

  [Symbol.dispose](): void {
    this.#tags[Symbol.dispose]();
  }
}
