/** When Tokens were last used: the gateway knows since it started, a file in the state directory knows of before. */
import { z } from 'zod';
import type { Log } from '../schemas/log.ts';
import type { TokenStatus } from '../schemas/status.ts';
import type { Compiled } from './compile.ts';
import { readJson, writeAtomically, type StateDir } from './state.ts';

/** Unix times in ms, by the Token's name. */
export type LastUsed = () => ReadonlyMap<string, number>;

interface Options {
  readonly state: StateDir;
  /** What the gateway knows. */
  readonly lastUsed?: LastUsed;
  readonly log: Log;
}

/** Now and then rather than with each use: what a crash loses is when, never whether somebody may. */
const SAVE_MS = 60_000;

const stored = z.record(z.string(), z.number());

export class TokenUsage implements Disposable {
  readonly #path: string;
  readonly #since: LastUsed;
  readonly #compiled: () => Compiled;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #before: ReadonlyMap<string, number>;

  /** @param compiled says which Tokens there are: others are forgotten */
  constructor({ state, lastUsed = () => new Map(), log }: Options, compiled: () => Compiled) {
    this.#path = state.paths.lastUsed;
    this.#since = lastUsed;
    this.#compiled = compiled;
    this.#log = log;
    this.#before = new Map(Object.entries(stored.safeParse(readJson(this.#path)).data ?? {}));
    this.#timer = setInterval(() => this.#save(), SAVE_MS).unref();
  }

  /** ISO 8601; `undefined` for one that was never used. */
  of(name: string): string | undefined {
    const at = this.#since().get(name) ?? this.#before.get(name);
    return at === undefined ? undefined : new Date(at).toISOString();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#save();
  }

  #save(): void {
    const { commit, draft } = this.#compiled();
    if (commit === '') return;
    const known = new Set(draft.principals.map(({ name }) => name));
    const kept = new Map([...this.#before, ...this.#since()].filter(([name]) => known.has(name)));
    const text = JSON.stringify(Object.fromEntries(kept));
    if (text === JSON.stringify(Object.fromEntries(this.#before))) return;
    try {
      writeAtomically(this.#path, text);
      this.#before = kept;
    } catch (error) {
      this.#log('warn', (error as Error).message);
    }
  }
}

/** What there is to tell of Tokens. @param lastUsed ISO 8601, by name */
export function tokenStatuses({
  compiled,
  lastUsed,
}: {
  readonly compiled: Compiled;
  readonly lastUsed: (token: string) => string | undefined;
}): TokenStatus[] {
  return compiled.draft.principals.map(({ name, expiresAt }) => {
    const used = lastUsed(name);
    return {
      address: `Token/${name}`,
      name,
      ...(expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
      ...(used === undefined ? {} : { lastUsed: used }),
    };
  });
}
