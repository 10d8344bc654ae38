/**
 * Makes lines of the chain (`line.ts`). A program of its own as well: a worker thread, which a busy log gives this work to. That is
 * why it is JavaScript, and imports nothing of ours.
 */
import { hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';

export const WORKER = 'slipway audit chain';

/** Room for a few hundred lines (bytes); it grows. */
let page = Buffer.allocUnsafeSlow(512 * 1024);
/** `,"hash":"…"}` and the end of the line. */
const TAIL = 76;

/**
 * @param {readonly string[]} pieces three for each line: what stands before the hashes of its arguments, the arguments as canonical
 *   JSON (empty: without hashes), and what stands after them
 * @param {number} seq of the line before the first
 * @param {string} prev its hash
 * @returns {{ bytes: Uint8Array<ArrayBuffer>, hash: string }} the lines, and the hash of the last
 */
export function chain(pieces, seq, prev) {
  let size = 0;
  for (let at = 0; at < pieces.length; at += 3) {
    const [before, canonical, after] = [pieces[at], pieces[at + 1], pieces[at + 2]];
    const hashes = canonical === '' ? '' : `${hash('md5', canonical)}","argumentsSha256":"${hash('sha256', canonical)}`;
    const open = `${before}${hashes}${after},"seq":${++seq},"prev":"${prev}"`;
    reserve(size, open.length * 3 + TAIL);
    const start = size;
    size += page.write(open, start, 'utf8');
    prev = hash('sha256', page.subarray(start, size));
    size += page.write(`,"hash":"${prev}"}\n`, size, 'latin1');
  }
  return { bytes: new Uint8Array(page.subarray(0, size)), hash: prev };
}

function reserve(size, more) {
  if (size + more <= page.length) return;
  const larger = Buffer.allocUnsafeSlow(Math.max(page.length * 2, size + more));
  page.copy(larger, 0, 0, size);
  page = larger;
}

if (workerData === WORKER)
  parentPort?.on('message', ({ pieces, seq, prev }) => {
    const lines = chain(pieces, seq, prev);
    parentPort?.postMessage(lines, [lines.bytes.buffer]);
  });
