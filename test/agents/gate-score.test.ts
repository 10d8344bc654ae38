/** Which texts a session gets: scores, their order, and the budget. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ALWAYS, fitting, isWanted, matchesOf, ranked, scoreOf, tagsIn } from '../../gateway/gate/score.ts';

const words = (...all: string[]): ReadonlySet<string> => new Set(all);

test('a score is the priority, and the priority once more for each match', () => {
  expect(scoreOf(5, 0)).toBe(5);
  expect(scoreOf(5, 3)).toBe(20);
  expect(scoreOf(10, 1)).toBe(20);
});

test('a tag matches by words, and by their stems from four letters on', () => {
  const text = words('how', 'a', 'release', 'is', 'deployed', 'api');
  expect(matchesOf(['release', 'Deploy', 'deployment'], text)).toBe(2);
  expect(matchesOf(['releases of the'], text)).toBe(0);
  expect(matchesOf(['how release'], text)).toBe(1);
  expect(matchesOf(['apis', 'rel', '', '!'], text)).toBe(0);
  expect(matchesOf(['createRelease'], words('create', 'releases'))).toBe(1);
});

test('tags come as models write them', () => {
  expect(tagsIn(['a, b', ' b ', '', ',c'])).toEqual(['a', 'b', 'c']);
  expect(tagsIn(Array.from({ length: 100 }, (_, at) => `t${at}`))).toHaveLength(32);
  expect(tagsIn(['x'.repeat(1_000)])[0]).toHaveLength(100);
});

const candidate = fc.record({
  name: fc.string({ minLength: 1, maxLength: 8 }),
  priority: fc.integer({ min: 1, max: ALWAYS }),
  matches: fc.integer({ min: 0, max: 5 }),
  size: fc.option(fc.integer({ min: 0, max: 5_000 }), { nil: undefined }),
});
const candidates = fc.uniqueArray(candidate, { maxLength: 30, selector: ({ name }) => name });

type Given = { name: string; priority: number; matches: number; size: number | undefined };
const rankedOf = (all: readonly Given[]) =>
  ranked(
    all.map((one) => ({ ...one, words: words() })),
    ({ name }) => all.find((one) => one.name === name)?.matches ?? 0,
  );

test('the highest score is first, those with the same by name, whatever order they come in', () => {
  fc.assert(
    fc.property(candidates, (all) => {
      const order = rankedOf(all);
      for (const [at, one] of order.entries()) {
        const next = order[at + 1];
        expect(one.score).toBe(one.priority + one.matches * one.priority);
        if (next) expect(one.score > next.score || (one.score === next.score && one.name < next.name)).toBe(true);
      }
      expect(rankedOf(all.toReversed())).toEqual(order);
    }),
  );
});

test('the budget holds, priority 10 stands beside it, and nothing is lost or left out that would fit', () => {
  fc.assert(
    fc.property(candidates, fc.integer({ min: 0, max: 10_000 }), (all, budget) => {
      const wanted = rankedOf(all).filter(isWanted);
      const { full, rest } = fitting(wanted, budget, ({ size }) => size);
      const used = full.filter(({ priority }) => priority < ALWAYS).reduce((sum, { size = 0 }) => sum + size, 0);
      expect(used).toBeLessThanOrEqual(budget);
      expect([...full, ...rest].map(({ name }) => name).toSorted()).toEqual(wanted.map(({ name }) => name).toSorted());
      for (const { priority, size } of rest)
        expect(size === undefined || (priority < ALWAYS && size > budget - used)).toBe(true);
      for (const { priority, size } of wanted)
        if (priority === ALWAYS && size !== undefined) expect(full.some((one) => one.size === size)).toBe(true);
      expect(wanted.filter((one) => full.includes(one))).toEqual(full);
    }),
  );
});
