/** Lines on their way to the disk, in batches that are written whole: while one is written, others are added to the next. */
import type { AuditDraft } from '../../../schemas/audit.ts';
import type { ArgumentHashes } from './arguments.ts';
import { Lines, type Head } from './line.ts';

/** Lines in a batch, at most. */
export const BATCH = 256;

export class Batches {
  /** Oldest first; the last is the one that is added to. */
  readonly #all = [new Lines()];
  /** Bytes to fill again. */
  #spare: Lines | undefined;
  #count = 0;
  #head: Head;

  /** @param head where the chain stands before the first line */
  constructor(head: Head) {
    this.#head = head;
  }

  /** Of lines. */
  get count(): number {
    return this.#count;
  }

  /** Where the chain stands after the last of them. */
  get head(): Head {
    return this.#head;
  }

  add(draft: AuditDraft, hashes: ArgumentHashes): void {
    const last = this.#all.at(-1);
    const lines = last && last.count < BATCH ? last : this.#begin();
    this.#head = lines.add(draft, hashes, this.#head);
    this.#count++;
  }

  /** The oldest, which nothing is added to any more; `undefined` for no line at all. It stays until it is {@link written}. */
  get first(): Lines | undefined {
    if (this.#count === 0) return undefined;
    if (this.#all.length === 1) this.#begin();
    return this.#all[0];
  }

  /** The {@link first} is on disk. */
  written(): void {
    const lines = this.#all.shift();
    this.#count -= lines?.count ?? 0;
    lines?.clear();
    this.#spare = lines;
  }

  #begin(): Lines {
    const lines = this.#spare ?? new Lines();
    this.#spare = undefined;
    this.#all.push(lines);
    return lines;
  }
}
