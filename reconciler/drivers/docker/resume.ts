/**
 * Puts a container's output together again after the connection to it broke: what came before, what its log has kept
 * meanwhile, and what comes on the new connection overlap, and every byte must be passed on once. Pure.
 */

/** So much of what came last is enough to find the place again (bytes). */
const MARK = 4096;

/** The last bytes of a stream. */
export class Tail {
  #chunks: Buffer[] = [];
  #size = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size - (this.#chunks[0]?.length ?? 0) >= MARK) this.#size -= this.#chunks.shift()?.length ?? 0;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks).subarray(-MARK);
  }
}

/** @returns the part of `log` that follows `tail`; undefined where the log does not hold the tail */
export function after(tail: Buffer, log: Buffer): Buffer | undefined {
  const place = tail.length === 0 ? -1 : log.indexOf(tail);
  return place < 0 ? undefined : log.subarray(place + tail.length);
}

/**
 * Where the new connection begins is where the program wrote something, and servers write whole lines. So only what begins
 * with a line of the log counts as the same: bytes in the middle of lines are alike too often.
 * @param fresh what came first on the new connection
 * @returns how many bytes of the new connection stand at the end of `log` already; it may be more than `fresh` has
 */
export function overlap(log: Buffer, fresh: Buffer): number {
  for (let place = 0; place < log.length; place = lineAfter(log, place)) {
    const rest = log.subarray(place);
    const length = Math.min(rest.length, fresh.length);
    if (rest.subarray(0, length).equals(fresh.subarray(0, length))) return rest.length;
  }
  return 0;
}

function lineAfter(bytes: Buffer, place: number): number {
  const end = bytes.indexOf(0x0a, place);
  return end < 0 ? bytes.length : end + 1;
}
