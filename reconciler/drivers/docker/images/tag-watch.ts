/**
 * Notices that a tag names another image than the one that runs. A registry is asked for a digest now and then, which
 * pulls nothing; how often has nothing to do with how often somebody wants to know.
 */
import type { Log } from '../../../../schemas/log.ts';
import { redactor } from '../../../../schemas/sensitive.ts';
import type { OpenSecret } from '../../../../schemas/upstream-auth.ts';
import { untilAborted } from '../../../async.ts';
import type { Pull } from '../../../workload.ts';
import { ifThere, messageOf } from '../answers.ts';
import type { Engine } from '../engine.ts';
import { authFor } from './credentials.ts';
import { digestIn, fullName, parseReference, type Reference } from './reference.ts';

interface TagWatchOptions {
  /** Between two looks at one tag, give or take a quarter: registries count requests. */
  readonly everyMs: number;
  /** Called after a look that showed something new. */
  readonly changed: () => void;
  readonly log: Log;
  readonly secrets: OpenSecret;
}

interface Watched {
  readonly reference: Reference;
  dueAt: number;
  looking: boolean;
  remote?: string;
  /** Of the images that run, by id: what the registry called them. */
  readonly local: Map<string, string | undefined>;
}

const ANSWER_MS = 20_000;

export class TagWatch implements Disposable {
  readonly #options: TagWatchOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #closed = new AbortController();

  constructor(options: TagWatchOptions) {
    this.#options = options;
  }

  /**
   * Answers at once with what the last look showed, and looks again in the background where that is due.
   * @param id of the image that an instance runs @returns what moved, in words
   */
  moved(engine: Engine, image: string, credentials: Pull['credentials'], id: string): string | undefined {
    const watched = this.#watch(engine, image);
    if (!watched.local.has(id)) watched.local.set(id, undefined);
    if (!watched.looking && Date.now() >= watched.dueAt) void this.#look(engine, image, credentials, watched);
    const local = watched.local.get(id);
    if (watched.remote === undefined || local === undefined || local === watched.remote) return undefined;
    return `${image} is ${short(watched.remote)} in its registry now; this runs ${short(local)}`;
  }

  /** The first look comes at a random time: many tags must not be asked for at once after a start. */
  #watch(engine: Engine, image: string): Watched {
    const reference = parseReference(image);
    const key = `${engine.address.host} ${fullName(reference)}`;
    const known = this.#watched.get(key);
    if (known) return known;
    const dueAt = Date.now() + Math.random() * this.#options.everyMs;
    const watched: Watched = { reference, dueAt, looking: false, local: new Map() };
    this.#watched.set(key, watched);
    return watched;
  }

  async #look(engine: Engine, image: string, credentials: Pull['credentials'], watched: Watched): Promise<void> {
    const { everyMs, changed, log } = this.#options;
    watched.looking = true;
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(ANSWER_MS)]);
    try {
      const before = JSON.stringify([watched.remote, ...watched.local.values()]);
      await untilAborted(this.#ask(engine, credentials, watched), signal);
      if (JSON.stringify([watched.remote, ...watched.local.values()]) !== before) changed();
    } catch (error) {
      // No reason to touch what runs: what was known stays, and the next look tells more.
      if (!this.#closed.signal.aborted) log('debug', `the digest of ${image} is not to be had: ${messageOf(error)}`);
    } finally {
      watched.looking = false;
      watched.dueAt = Date.now() + everyMs * (0.75 + Math.random() / 2);
    }
  }

  async #ask({ docker }: Engine, credentials: Pull['credentials'], watched: Watched): Promise<void> {
    const { reference, local } = watched;
    const authconfig = await authFor(reference, credentials, this.#options.secrets);
    const image = docker.getImage(fullName(reference));
    const { Descriptor } = await image.distribution(authconfig ? { authconfig } : {}).catch((error: unknown) => {
      throw new Error(redactor(authconfig ? [authconfig.password] : [])(messageOf(error)), { cause: error });
    });
    for (const id of local.keys()) {
      const info = await ifThere(docker.getImage(id).inspect());
      if (!info) local.delete(id);
      else local.set(id, digestIn({ ...reference, digest: Descriptor.digest }, info.RepoDigests));
    }
    watched.remote = Descriptor.digest;
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
  }
}

const short = (digest: string): string => digest.slice(0, 19);
