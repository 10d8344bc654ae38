/** Many lines at once become links of the chain in a thread beside the calls: the same links, whatever becomes of the thread. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Chainer } from '../../reconciler/record/audit/chainer.ts';

const PREV = '0'.repeat(64);
const piecesOf = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => [`{"argumentsMd5":"`, `{"n":${n},"who":"Ada 🚢"}`, `","kind":"x"`]).flat();

test('few and many make the same chain', async () => {
  await using chainer = new Chainer();
  const whole = await chainer.chain(piecesOf(500), 0, PREV);
  let prev = PREV;
  const parts: Uint8Array[] = [];
  const pieces = piecesOf(500);
  for (let seq = 0; seq < 500; seq += 50) {
    const part = await chainer.chain(pieces.slice(seq * 3, (seq + 50) * 3), seq, prev);
    prev = part.hash;
    parts.push(part.bytes);
  }
  expect(whole.hash).toBe(prev);
  expect(Buffer.from(whole.bytes).equals(Buffer.concat(parts))).toBe(true);
  expect(JSON.parse(Buffer.from(whole.bytes).toString().split('\n')[499] ?? '')).toMatchObject({
    seq: 500,
    hash: prev,
  });
});

test('a thread that ends, at whatever moment, takes nothing with it', async () => {
  const pieces = piecesOf(2000);
  for (let turns = 0; turns < 40; turns++) {
    await using chainer = new Chainer();
    const links = chainer.chain(pieces, 0, PREV);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    await chainer[Symbol.asyncDispose]();
    expect(
      Buffer.from((await links).bytes)
        .toString()
        .split('\n'),
    ).toHaveLength(2001);
    expect((await chainer.chain(piecesOf(200), 2000, (await links).hash)).bytes.length).toBeGreaterThan(200);
  }
});
