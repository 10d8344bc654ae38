/** The engines that were ever used, opened when they are needed and kept open. */
import { existsSync, readFileSync } from 'node:fs';
import { toSlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import { pause } from '../../async.ts';
import { writeAtomically } from '../../state.ts';
import type { EngineSpec } from '../../workload.ts';
import type { Engine } from './engine.ts';

export interface EnginesOptions {
  /** File that remembers which engines were used: something of ours may run there. */
  readonly path: string;
  readonly log: Log;
  /** Called with each engine once it answers, before anybody gets it. */
  readonly onOpen: (engine: Engine) => Promise<void>;
}

const LOCAL: EngineSpec = { name: 'default', runners: {} };
const FIRST_PAUSE_MS = 250;
const LAST_PAUSE_MS = 10_000;

export class Engines implements AsyncDisposable {
  readonly #options: EnginesOptions;
  readonly #open = new Map<string, Promise<Engine>>();
  readonly #known: Map<string, EngineSpec>;
  readonly #closing = new AbortController();

  constructor(options: EnginesOptions) {
    this.#options = options;
    this.#known = new Map(readKnown(options.path).map((spec) => [keyOf(spec), spec]));
  }

  /** @throws SlipwayError engine-unreachable */
  async get(wanted?: EngineSpec): Promise<Engine> {
    const spec = wanted ?? LOCAL;
    const key = keyOf(spec);
    const opening = this.#open.get(key) ?? this.#connect(spec);
    this.#open.set(key, opening);
    try {
      const engine = await opening;
      if (wanted) engine.runners = wanted.runners;
      return engine;
    } catch (error) {
      if (this.#open.get(key) === opening) this.#open.delete(key);
      throw error;
    }
  }

  /** Whether all that were ever used have answered: only then is it known what is there. */
  async complete(): Promise<boolean> {
    return (await this.opened()).length >= this.#known.size;
  }

  /** Opens those that were used before. One that does not answer is asked again until it does, in the background. */
  async reopen(): Promise<void> {
    await Promise.all([...this.#known.values()].map((spec) => this.get(spec).catch(() => void this.#insist(spec))));
  }

  /** Those that answered. */
  async opened(): Promise<Engine[]> {
    const settled = await Promise.allSettled(this.#open.values());
    return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const engine of await this.opened()) engine[Symbol.dispose]();
  }

  async #connect(spec: EngineSpec): Promise<Engine> {
    // Loaded only where there is an engine to speak with: it costs 100 ms and 27 MB.
    const { openEngine } = await import('./engine.ts');
    const engine = await openEngine(spec);
    if (!this.#known.has(keyOf(spec))) {
      this.#known.set(keyOf(spec), spec);
      writeAtomically(this.#options.path, JSON.stringify([...this.#known.values()]));
    }
    await this.#options.onOpen(engine);
    return engine;
  }

  async #insist(spec: EngineSpec): Promise<void> {
    const { signal } = this.#closing;
    for (let wait = FIRST_PAUSE_MS; !signal.aborted; wait = Math.min(wait * 2, LAST_PAUSE_MS)) {
      await pause(wait * (0.75 + Math.random() / 2), signal).catch(() => {});
      if (signal.aborted) return;
      try {
        return void (await this.get(spec));
      } catch (error) {
        this.#options.log('warn', toSlipwayError(error).message);
      }
    }
  }
}

/** The runners are no part of it: they say what is built, not where. */
const keyOf = ({ name, host, tls }: EngineSpec): string => JSON.stringify([name, host, tls]);

function readKnown(path: string): EngineSpec[] {
  if (!existsSync(path)) return [];
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as EngineSpec[];
  } catch {
    return []; // Cut off by a crash of the host: an engine is known again with the first server on it.
  }
}
