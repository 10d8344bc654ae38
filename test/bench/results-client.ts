/** The client of `results.ts`, on a thread of its own: what it does must not hold up the event loop that is looked at. */
import { parentPort, workerData } from 'node:worker_threads';
import { talker } from './talk.ts';
import { Wire } from './wire.ts';

const { url, bytes, warm, rounds } = workerData as { url: string; bytes: number; warm: number; rounds: number };
const client = await talker(url);
using wire = await Wire.open(new URL(url));
const times: number[] = [];
let size = 0;
for (let id = 1; id <= warm + rounds; id++) {
  if (id === warm + 1) parentPort?.postMessage('warm', []);
  const began = performance.now();
  const { body } = await client.call(wire, id, 'tools/call', { name: 'ledger', arguments: { bytes } });
  times.push(performance.now() - began);
  size = body.length;
}
parentPort?.postMessage({ times: times.slice(warm), size }, []);
