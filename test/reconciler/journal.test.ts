/** What the journal remembers of a run that ended without a word. */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openJournal, type JournalEntry } from '../../reconciler/journal.ts';
import { identify, isSame } from '../../reconciler/process-identity.ts';
import { openState, readJson, writeAtomically } from '../../reconciler/state.ts';
import { tempDir } from '../helpers/temp.ts';

const one = { pid: 1_000_001, started: '1' };
const two = { pid: 1_000_002, started: '2' };
const create = (instance: string): JournalEntry => ({
  op: 'create',
  instance,
  driver: 'process',
  address: 'a',
  hash: 'h',
});
const starting = (instance: string): JournalEntry => ({ op: 'starting', instance });
const started = (instance: string, process = one): JournalEntry => ({ op: 'started', instance, process });
const ended = (instance: string): JournalEntry => ({ op: 'ended', instance });
const removed = (instance: string): JournalEntry => ({ op: 'removed', instance });

test.for<[string, JournalEntry[], unknown[]]>([
  ['nothing', [], []],
  ['created, no process yet', [create('a')], []],
  ['a process is about to start', [create('a'), starting('a')], [{ instance: 'a', processes: [], uncertain: true }]],
  ['it runs', [create('a'), starting('a'), started('a')], [{ instance: 'a', processes: [one], uncertain: false }]],
  ['it ended', [create('a'), starting('a'), started('a'), ended('a')], []],
  ['it was removed', [create('a'), starting('a'), started('a'), ended('a'), removed('a')], []],
  ['removed while it ran', [started('a'), removed('a')], []],
  [
    'started again after a crash',
    [started('a'), ended('a'), starting('a'), started('a', two)],
    [{ instance: 'a', processes: [two], uncertain: false }],
  ],
  ['about to start again', [started('a'), starting('a')], [{ instance: 'a', processes: [one], uncertain: true }]],
  ['two of them', [started('a'), starting('b'), ended('a')], [{ instance: 'b', processes: [], uncertain: true }]],
])('%s', ([, entries, leftovers]) => {
  using dir = tempDir();
  {
    using journal = openJournal(dir.at('journal'));
    for (const entry of entries) journal.append(entry);
  }
  using next = openJournal(dir.at('journal'));
  expect(next.leftovers).toEqual(leftovers);
});

test('a line that a crash cut off, or that is no line at all, is skipped', () => {
  using dir = tempDir();
  writeFileSync(dir.at('journal'), `${JSON.stringify(started('a'))}\n\nnull\n42\n"x"\n{"op":"ended","inst`);
  using journal = openJournal(dir.at('journal'));
  expect(journal.leftovers).toEqual([{ instance: 'a', processes: [one], uncertain: false }]);
});

test('leftovers stay until they are reported as removed, however often we start', () => {
  using dir = tempDir();
  appendFileSync(
    dir.at('journal'),
    `${[started('a'), starting('b')].map((entry) => JSON.stringify(entry)).join('\n')}\n`,
  );
  for (let start = 0; start < 3; start++) {
    using journal = openJournal(dir.at('journal'));
    expect(journal.leftovers.map((leftover) => leftover.instance)).toEqual(['a', 'b']);
  }
  {
    using journal = openJournal(dir.at('journal'));
    journal.append(removed('a'));
  }
  using journal = openJournal(dir.at('journal'));
  expect(journal.leftovers).toEqual([{ instance: 'b', processes: [], uncertain: true }]);
});

test('an entry is on disk before anything happens because of it', () => {
  using dir = tempDir();
  const onDisk: string[] = [];
  using journal = openJournal(dir.at('journal'), () => onDisk.push(readFileSync(dir.at('journal'), 'utf8')));
  journal.append(create('a'));
  journal.append(starting('a'));
  expect(onDisk.map((text) => text.split('\n').length - 1)).toEqual([1, 2]);
});

test('a process is told from a later one with the same number', () => {
  const me = identify(process.pid);
  expect(isSame(me)).toBe(true);
  expect(isSame({ ...me, started: '1' })).toBe(false);
  for (const nobody of [undefined, null, 'x', {}, { pid: process.pid }, { pid: 2 ** 30, started: '1' }])
    expect(isSame(nobody)).toBe(false);
  expect(identify(2 ** 30)).toBeUndefined();
});

test('a state directory has one user; the lock of a dead one is taken over', () => {
  using dir = tempDir();
  const first = openState(dir.at('state'));
  expect(() => openState(dir.at('state'))).toThrow(expect.objectContaining({ code: 'state-locked' }));
  first[Symbol.dispose]();
  for (const lock of [JSON.stringify(one), '', '{"pid":', JSON.stringify({ pid: process.pid, started: 'long ago' })]) {
    writeFileSync(dir.at('state', 'lock'), lock);
    using state = openState(dir.at('state'));
    expect(state.owner).toBe(first.owner);
    expect(state.sessionKey).toEqual(first.sessionKey);
  }
  using elsewhere = openState(dir.at('other'));
  expect(elsewhere.owner).not.toBe(first.owner);
});

test('what is large is written in slices, and no character is cut in half', () => {
  using dir = tempDir();
  const long = `${'x'.repeat(2 ** 20 - 1)}😀${'é'.repeat(2 ** 20 - 2)}😀 end`;
  for (const content of [long, '', '😀'.repeat(2 ** 20)]) {
    writeAtomically(dir.at('long.txt'), content);
    expect(readFileSync(dir.at('long.txt'), 'utf8') === content).toBe(true);
  }
});

test('a file is replaced as a whole, and what cannot be read as JSON is nothing', () => {
  using dir = tempDir();
  writeAtomically(dir.at('a.json'), '{"a":1}');
  writeAtomically(dir.at('a.json'), '{"a":2}');
  expect(readJson(dir.at('a.json'))).toEqual({ a: 2 });
  writeFileSync(dir.at('a.json'), '{"a":');
  expect(readJson(dir.at('a.json'))).toBeUndefined();
  expect(readJson(dir.at('missing.json'))).toBeUndefined();
});
