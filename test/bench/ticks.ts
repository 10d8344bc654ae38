/**
 * What one `process.nextTick` takes (ns) in a program that was collected while it had little to do: ticks.ts [keep], on a Node with
 * `--expose-gc`.
 */
import { keepTickShape } from '../../cli/heap.ts';
import { median } from './measure.ts';

const COLLECTIONS = 10;
const ROUNDS = 5;
const MANY = 300_000;

const collect = (globalThis as { gc?: () => void }).gc;
if (!collect) throw new Error('Run it with --expose-gc.');
if (process.argv[2] === 'keep') keepTickShape();

/** One after the other. */
function ticks(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const step = (): void => (left-- > 0 ? process.nextTick(step) : resolve());
    step();
  });
}

for (let at = 0; at < COLLECTIONS; at++) {
  await ticks(200);
  collect();
}
const times: number[] = [];
for (let at = 0; at < ROUNDS; at++) {
  const began = performance.now();
  await ticks(MANY);
  times.push(((performance.now() - began) * 1e6) / MANY);
}
console.log(median(times));
