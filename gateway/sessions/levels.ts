/** Which log messages a session wants: on a shared server everybody would otherwise hear what one has turned on. */

/** Least severe first (RFC 5424). */
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
/** As much as servers say where nobody chose. */
const USUAL = LEVELS.indexOf('info');
/** Bounds the memory; beyond it the oldest wish is forgotten first, and its session hears everything again. */
const MAX_REMEMBERED = 10_000;

export const isLevel = (level: unknown): level is string => LEVELS.includes(level as string);

/** Whether a message of this level is for whoever wants to hear from `least` on; one of no known level always is. */
export function reaches(least: string, level: unknown): boolean {
  return !isLevel(level) || LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

interface Wish {
  readonly least: number;
  /** When its session ends (unix time, ms). */
  readonly until: number;
}

export class Levels {
  readonly #bySession = new Map<string, Wish>();
  readonly #onChange: () => void;

  /** @param onChange called when there is something else to be kept */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  set(sessionId: string, level: string, until: number): void {
    this.#bySession.delete(sessionId);
    this.#bySession.set(sessionId, { least: LEVELS.indexOf(level), until });
    for (const oldest of this.#bySession.keys()) {
      if (this.#bySession.size <= MAX_REMEMBERED) break;
      this.#bySession.delete(oldest);
    }
    this.#onChange();
  }

  /** Session, level, and until when. */
  get all(): [string, string, number][] {
    return [...this.#bySession].map(([session, { least, until }]) => [session, LEVELS[least] as string, until]);
  }

  /** Whether a message of this level is for the session. One that never chose hears all. */
  wants(sessionId: string, level: unknown): boolean {
    const { least } = this.#bySession.get(sessionId) ?? {};
    return least === undefined || !isLevel(level) || LEVELS.indexOf(level) >= least;
  }

  /** The level to ask a server for on behalf of a session. One that never chose hears as much as usual. */
  of(sessionId: string): string {
    return LEVELS[this.#bySession.get(sessionId)?.least ?? USUAL] as string;
  }

  /** The level to ask a server for that was not asked yet; `undefined` where nobody chose one. */
  get most(): string | undefined {
    let most: string | undefined;
    for (const { least, until } of this.#bySession.values())
      if (until > Date.now()) most = mostOf(most, LEVELS[least] as string);
    return most;
  }

  end(sessionId: string): void {
    if (this.#bySession.delete(sessionId)) this.#onChange();
  }
}

/** The level to ask a server for, so that whoever wants most gets it, and whoever never chose hears as much as usual. */
export function mostOf(known: string | undefined, level: string): string {
  return LEVELS[Math.min(known === undefined ? USUAL : LEVELS.indexOf(known), LEVELS.indexOf(level))] ?? level;
}
