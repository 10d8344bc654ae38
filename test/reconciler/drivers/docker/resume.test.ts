/** After a break every byte of a container's output is passed on once, wherever the break and the log cut it. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { after, overlap, Tail } from '../../../../reconciler/drivers/docker/resume.ts';

/** Messages as servers write them: lines of JSON, short ones and long ones, often alike. */
const output = fc
  .array(fc.record({ id: fc.nat(50), text: fc.string({ maxLength: 20 }), long: fc.nat(300) }), {
    minLength: 1,
    maxLength: 60,
  })
  .map((messages) =>
    Buffer.from(
      messages
        .map(({ id, text, long }, index) => `${JSON.stringify({ n: index, id, text, pad: 'x'.repeat(long) })}\n`)
        .join(''),
    ),
  );

test('what came before, the log and the new connection make up the whole', () => {
  fc.assert(
    fc.property(output, fc.nat(), fc.nat(), fc.nat(), fc.nat(), (whole, ...cuts) => {
      const at = (cut: number, from: number): number => from + (cut % (whole.length - from + 1));
      const lost = at(cuts[0] ?? 0, 0);
      // A program writes whole lines, and the connection begins with what it writes.
      const attached = whole.lastIndexOf('\n', at(cuts[1] ?? 0, lost) - 1) + 1;
      fc.pre(attached >= lost);
      const logged = at(cuts[2] ?? 0, attached);
      // A log begins where a line does, some time before the break.
      const begins = whole.subarray(0, (cuts[3] ?? 0) % (lost + 1)).lastIndexOf('\n') + 1;
      const tail = new Tail();
      for (let place = 0; place < lost; place += 100) tail.push(whole.subarray(place, Math.min(place + 100, lost)));
      fc.pre(lost - begins >= tail.bytes.length && tail.bytes.length > 0);
      const log = whole.subarray(begins, logged);
      const live = whole.subarray(attached);
      const missed = after(tail.bytes, log);
      const joined = Buffer.concat([
        whole.subarray(0, lost),
        missed ?? Buffer.alloc(0),
        live.subarray(overlap(log, live)),
      ]);
      expect(joined.equals(whole)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('a log that has lost the place says so', () => {
  expect(after(Buffer.from('gone'), Buffer.from('something else'))).toBeUndefined();
  expect(after(Buffer.alloc(0), Buffer.from('anything'))).toBeUndefined();
});

test('the tail holds enough, and no more', () => {
  const tail = new Tail();
  for (let turn = 0; turn < 1000; turn++) tail.push(Buffer.from(`${turn}`.padStart(100)));
  expect(tail.bytes.length).toBe(4096);
  expect(tail.bytes.toString().endsWith('999')).toBe(true);
});
