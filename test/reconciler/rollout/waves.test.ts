/** Which instances are started and stopped, in which order. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { split } from '../../../reconciler/rollout/canary.ts';
import { compareSurfaces, surfaceText } from '../../../reconciler/rollout/surface.ts';
import { leavesGap, nextStep, type Goal } from '../../../reconciler/rollout/waves.ts';

/** The numbers of old and new instances after each step. */
function course(old: number, goal: Goal, fresh = 0): string[] {
  const fleet = { old, fresh };
  const steps: string[] = [];
  for (let step = nextStep(fleet, goal); step; step = nextStep(fleet, goal)) {
    if ('create' in step) fleet.fresh += step.create;
    else fleet.old -= step.remove;
    steps.push(`${fleet.old}+${fleet.fresh}`);
    if (steps.length > 1000) throw new Error('it never ends');
  }
  return steps;
}

const all = (replicas: number, surge: number, unavailable: number): Goal => ({
  replicas,
  fresh: replicas,
  old: 0,
  surge,
  unavailable,
});

test.for<[string, number, Goal, string[]]>([
  ['one instance, as by default', 1, all(1, 1, 0), ['1+1', '0+1']],
  ['three, as by default', 3, all(3, 1, 0), ['3+1', '2+1', '2+2', '1+2', '1+3', '0+3']],
  ['without room beside the old ones', 3, all(3, 0, 1), ['2+0', '2+1', '1+1', '1+2', '0+2', '0+3']],
  ['two at a time', 4, all(4, 2, 0), ['4+2', '2+2', '2+4', '0+4']],
  ['more and fewer at once', 4, all(4, 1, 1), ['4+1', '2+1', '2+3', '0+3', '0+4']],
  ['all beside the old ones', 3, all(3, 3, 0), ['3+3', '0+3']],
  ['the first time', 0, all(3, 1, 0), ['0+3']],
  ['fewer than before', 4, all(2, 1, 0), ['2+0', '2+1', '1+1', '1+2', '0+2']],
  ['more than before', 1, all(3, 1, 0), ['1+3', '0+3']],
])('%s', ([, old, goal, expected]) => {
  expect(course(old, goal)).toEqual(expected);
});

test('whatever the settings: it ends, there are never too many nor too few, and a gap is foretold', () => {
  const settings = fc
    .record({
      replicas: fc.integer({ min: 1, max: 12 }),
      surge: fc.nat({ max: 12 }),
      unavailable: fc.nat({ max: 12 }),
      old: fc.nat({ max: 16 }),
    })
    .filter(({ surge, unavailable }) => surge + unavailable > 0);
  fc.assert(
    fc.property(settings, ({ replicas, surge, unavailable, old }) => {
      const steps = course(old, all(replicas, surge, unavailable));
      const counts = steps.map((step) => step.split('+').reduce((sum, part) => sum + Number(part), 0));
      expect(steps.at(-1)).toBe(`0+${replicas}`);
      expect(Math.max(...counts)).toBeLessThanOrEqual(Math.max(old, replicas + surge));
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.min(old, replicas - unavailable));
      const gap = old > 0 && counts.includes(0);
      if (old > 0) expect(leavesGap(old, { replicas, surge, unavailable, strategy: 'rollingUpdate' })).toBe(gap);
    }),
    { numRuns: 2000 },
  );
});

test('a canary has at least one instance of each version, and never more than there may be', () => {
  const settings = fc.record({
    replicas: fc.integer({ min: 1, max: 20 }),
    weight: fc.integer({ min: 1, max: 99 }),
    surge: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(settings, ({ replicas, weight, surge }) => {
      const wanted = split(replicas, weight);
      const steps = course(replicas, { replicas, surge, unavailable: 0, ...wanted });
      const [old, fresh] = (steps.at(-1) ?? '').split('+').map(Number);
      expect({ old, fresh }).toEqual(wanted);
      for (const step of steps) {
        const sum = step.split('+').reduce((total, part) => total + Number(part), 0);
        expect(sum).toBeLessThanOrEqual(replicas + surge);
        expect(sum).toBeGreaterThanOrEqual(replicas);
      }
    }),
  );
});

test('tools that came, went or changed are named; the order of their fields is no change', () => {
  const a = { name: 'a', inputSchema: { type: 'object', properties: { x: { type: 'string' } } } };
  const same = { inputSchema: { properties: { x: { type: 'string' } }, type: 'object' }, name: 'a' };
  expect(compareSurfaces([a], [same])).toBeUndefined();
  const changes = compareSurfaces(
    [a, { name: 'b' }, { name: 'c', description: 'old' }],
    [same, { name: 'c', description: 'new' }, { name: 'd' }],
  );
  expect(changes).toEqual({ added: ['d'], lost: ['b'], changed: ['c'] });
  expect(surfaceText(changes ?? { added: [], lost: [], changed: [] })).toBe('lost b; changed c');
});
