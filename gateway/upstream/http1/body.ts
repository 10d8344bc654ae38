/** All of a response's body in one piece. */
import type { Head, Reader } from './response.ts';

const EMPTY = Buffer.alloc(0);

/** Its room is at most twice its bytes, in however small pieces they come, and just its bytes if the server said how many. */
export class Body implements Reader {
  readonly #max: number;
  #room: Buffer = EMPTY;
  #size = 0;

  /** @param max bytes; more throw RangeError */
  constructor(max: number) {
    this.#max = max;
  }

  /** What has come so far. */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.#size);
  }

  onHead({ headers }: Head): void {
    this.#room = EMPTY;
    this.#size = 0;
    const length = Number(headers['content-length'] ?? 0);
    // Pages that are not written to take no memory, so a server that promises much gets nothing by it.
    if (length <= this.#max) this.#room = Buffer.allocUnsafe(length);
  }

  onData(chunk: Buffer): void {
    const size = this.#size + chunk.length;
    if (size > this.#max) throw new RangeError('answer too long');
    if (size > this.#room.length) {
      const room = Buffer.allocUnsafe(Math.max(size, 2 * this.#size));
      this.bytes.copy(room);
      this.#room = room;
    }
    chunk.copy(this.#room, this.#size);
    this.#size = size;
  }

  /** Lets go of it. */
  clear(): void {
    this.#room = EMPTY;
    this.#size = 0;
  }
}
