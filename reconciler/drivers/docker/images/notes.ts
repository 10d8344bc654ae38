/** Which images of an engine Slipway pulled, and since when nobody needs one: images themselves cannot be marked. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeAtomically } from '../../../state.ts';

/** By id of the image. */
const engineNotes = z.object({
  /** The names it was pulled by; it was not there before. */
  pulled: z.record(z.string(), z.array(z.string())),
  /** ISO time. */
  unused: z.record(z.string(), z.string()),
});
/** By address of the engine. */
const allNotes = z.record(z.string(), engineNotes);

type EngineNotes = z.output<typeof engineNotes>;

export class ImageNotes {
  readonly #path: string;
  readonly #notes: Record<string, EngineNotes>;

  /** A file that cannot be read is as good as none: images are then left where they are. */
  constructor(path: string) {
    this.#path = path;
    this.#notes = read(path);
  }

  /** Ids and names of what was pulled to an engine. */
  pulled(host: string): ReadonlyMap<string, readonly string[]> {
    return new Map(Object.entries(this.#of(host).pulled));
  }

  /** `id` came with this pull, or came with an earlier one and has one more name now. */
  notePull(host: string, id: string, name: string, fresh: boolean): void {
    const notes = this.#of(host);
    const names = notes.pulled[id] ?? (fresh ? [] : undefined);
    if (!names || names.includes(name)) return;
    notes.pulled[id] = [...names, name];
    this.#write();
  }

  /** @returns since when, in milliseconds: `now` the first time */
  unusedSince(host: string, id: string, now: number): number {
    const notes = this.#of(host);
    const known = notes.unused[id];
    if (known !== undefined) return Date.parse(known);
    notes.unused[id] = new Date(now).toISOString();
    this.#write();
    return now;
  }

  used(host: string, id: string): void {
    const { unused } = this.#of(host);
    if (unused[id] === undefined) return;
    delete unused[id];
    this.#write();
  }

  /** What was unused is no longer there. @param ids of what is */
  forgetOthers(host: string, ids: ReadonlySet<string>): void {
    const { unused } = this.#of(host);
    const gone = Object.keys(unused).filter((id) => !ids.has(id));
    for (const id of gone) delete unused[id];
    if (gone.length > 0) this.#write();
  }

  forget(host: string, id: string): void {
    const { pulled, unused } = this.#of(host);
    if (pulled[id] === undefined && unused[id] === undefined) return;
    delete pulled[id];
    delete unused[id];
    this.#write();
  }

  #of(host: string): EngineNotes {
    return (this.#notes[host] ??= { pulled: {}, unused: {} });
  }

  #write(): void {
    writeAtomically(this.#path, JSON.stringify(this.#notes));
  }
}

function read(path: string): Record<string, EngineNotes> {
  try {
    return allNotes.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return {};
  }
}
