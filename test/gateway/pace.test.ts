/** How busy an upstream is said to be, from its last calls. */
import { expect, test } from 'vitest';
import { Pace } from '../../gateway/upstream/pace.ts';

test('nothing is said before the first call', () => {
  const pace = new Pace();
  expect([pace.p95, pace.perSecond(1000)]).toEqual([undefined, 0]);
});

test('few calls are spread over a minute, and forgotten after it', () => {
  const pace = new Pace();
  for (const end of [1000, 2000, 3000]) pace.add(end - 10, end);
  expect(pace.perSecond(5000)).toBe(3 / 60);
  expect(pace.perSecond(62_500)).toBe(1 / 60);
  expect(pace.perSecond(70_000)).toBe(0);
  expect(pace.p95).toBe(10);
});

test('many are counted over the time that they took, and 95 of 100 are told from the slowest', () => {
  const pace = new Pace();
  for (let call = 1; call <= 1000; call++) pace.add(call * 10 - (call % 100 < 95 ? 5 : 50), call * 10);
  expect(pace.perSecond(10_000)).toBeCloseTo(100, -1);
  expect(pace.p95).toBe(50);
  for (let call = 1; call <= 128; call++) pace.add(call, call + 1);
  expect(pace.p95).toBe(1);
});
