/** What MCP sessions with running containers agreed on, so that they go on after a restart of Slipway. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Agreed } from '../../bridge/stdio.ts';
import { writeAtomically } from '../../state.ts';

/** One run of a container: it ends when the container's program does. */
export interface RunId {
  readonly container: string;
  readonly startedAt: string;
}

export class Agreements {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** @returns nothing when the container was started again since */
  of(instance: string, run: RunId): Agreed | undefined {
    try {
      const kept = JSON.parse(readFileSync(this.#path(instance), 'utf8')) as RunId & { agreed: Agreed };
      return kept.container === run.container && kept.startedAt === run.startedAt ? kept.agreed : undefined;
    } catch {
      return undefined; // None was kept, or a crash cut it off: then there is a new handshake.
    }
  }

  keep(instance: string, run: RunId, agreed: Agreed): void {
    writeAtomically(this.#path(instance), JSON.stringify({ ...run, agreed }));
  }

  forget(instance: string): void {
    rmSync(this.#path(instance), { force: true });
  }

  #path(instance: string): string {
    return join(this.#dir, `${instance}.json`);
  }
}
