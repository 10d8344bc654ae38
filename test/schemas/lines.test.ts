/** stdio framing: whatever way the bytes arrive, the same lines come out. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineSplitter } from '../../schemas/lines.ts';

interface Outcome {
  readonly lines: string[];
  readonly tooLong: number[];
}

function split(chunks: readonly Uint8Array[], maxBytes = 1_000_000): Outcome {
  const outcome: Outcome = { lines: [], tooLong: [] };
  const splitter = new LineSplitter((line) => outcome.lines.push(line), {
    maxBytes,
    onTooLong: (bytes) => outcome.tooLong.push(bytes),
  });
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  return outcome;
}

/** Cuts bytes at the given places, wherever in a character they fall. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length));
}

/** What buffers take up once everything that nobody needs is gone. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc(); gc()');
  return process.memoryUsage().arrayBuffers;
}

const character = fc.constantFrom(...'abc {}":,\\\t\r', 'ü', 'ß', '世', '界', '😀', '👨‍👩‍👧', '\u2028', '\u0000', '\uFEFF');
const line = fc.array(character, { maxLength: 30 }).map((characters) => characters.join(''));
const places = fc.array(fc.nat(), { maxLength: 40 });

describe('LineSplitter', () => {
  test('any chunking of any lines gives the same lines', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 15 }), places, (lines, at) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        expect(split(cut(bytes, at))).toEqual({ lines: lines.filter((text) => text.trim() !== ''), tooLong: [] });
      }),
      { numRuns: 500 },
    );
  });

  test('byte by byte', () => {
    const bytes = Buffer.from('{"a":"世界😀"}\nzwölf\n');
    expect(split([...bytes].map((byte) => Buffer.from([byte]))).lines).toEqual(['{"a":"世界😀"}', 'zwölf']);
  });

  test('a line over the limit is dropped and reported once; those around it survive', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.array(line, { maxLength: 8 }), places, (before, after, at) => {
        const long = 'x'.repeat(1000);
        const all = [...before, long, ...after];
        const { lines, tooLong } = split(cut(Buffer.from(all.map((text) => `${text}\n`).join('')), at), 999);
        expect(lines).toEqual([...before, ...after].filter((text) => text.trim() !== ''));
        expect(tooLong).toEqual([1000]);
      }),
    );
  });

  test('the limit counts bytes and is still allowed', () => {
    expect(split([Buffer.from('äää\n')], 6)).toEqual({ lines: ['äää'], tooLong: [] });
    expect(split([Buffer.from('ääää\n')], 6)).toEqual({ lines: [], tooLong: [8] });
  });

  test('a line that never ends is not kept in memory', () => {
    const seen: string[] = [];
    const splitter = new LineSplitter((text) => seen.push(text), { maxBytes: 2_000_000 });
    const before = heldBytes();
    for (let i = 0; i < 200; i++) splitter.push(Buffer.alloc(1_000_000, 'x'));
    expect(heldBytes() - before).toBeLessThan(100_000_000);
    expect(seen).toEqual([]);
    splitter.push(Buffer.from('\nnext\n'));
    expect(seen).toEqual(['next']);
  });

  test('an unfinished line waits', () => {
    expect(split([Buffer.from('one\ntwo')])).toEqual({ lines: ['one'], tooLong: [] });
    expect(split([Buffer.from('one\ntwo'), Buffer.from('\n')]).lines).toEqual(['one', 'two']);
  });

  test('empty and blank lines are no messages', () => {
    expect(split([Buffer.from('\n\r\n  \n\t\na\n\n')]).lines).toEqual(['a']);
  });

  test('nobody need listen for what is too long', () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((text) => lines.push(text), { maxBytes: 3 });
    splitter.push(Buffer.from('abcd\nabc\n'));
    expect(lines).toEqual(['abc']);
  });

  test('bytes that are not UTF-8 spoil only their own line', () => {
    const { lines } = split([Buffer.from('a\n'), Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from('b\n')]);
    expect(lines).toEqual(['a', '\uFFFD\uFFFD', 'b']);
  });
});
