/** Windows of budgets: where they begin and end, and that what left them is forgotten. */
import { expect, test } from 'vitest';
import { Account } from '../../gateway/limits/account.ts';
import { Budgets } from '../../gateway/limits/budgets.ts';
import { spanOf } from '../../gateway/limits/calendar.ts';
import { accountSchema, type Period } from '../../schemas/budgets.ts';
import { silent } from '../../schemas/log.ts';
import { budget } from './helpers/budget.ts';

const at = (text: string): number => Date.parse(text);

test.each<[Period, string, string, string, string]>([
  ['hour', 'Asia/Kolkata', '2026-03-01T10:20:00Z', '2026-03-01T09:30:00Z', '2026-03-01T10:30:00Z'],
  ['day', 'UTC', '2026-03-01T10:20:00Z', '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z'],
  ['day', 'Europe/Vienna', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
  ['day', 'Europe/Vienna', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
  // At midnight the clocks of Santiago and Cairo are put forward, and those of Havana back over it.
  ['day', 'America/Santiago', '2026-09-06T03:59:59Z', '2026-09-05T04:00:00Z', '2026-09-06T04:00:00Z'],
  ['day', 'America/Santiago', '2026-09-06T04:00:00Z', '2026-09-06T04:00:00Z', '2026-09-07T03:00:00Z'],
  ['day', 'Africa/Cairo', '2026-04-24T12:00:00Z', '2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z'],
  ['day', 'America/Havana', '2026-11-01T05:30:00Z', '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z'],
  ['week', 'America/New_York', '2026-03-09T03:59:59Z', '2026-03-02T05:00:00Z', '2026-03-09T04:00:00Z'],
  ['week', 'America/New_York', '2026-03-09T04:00:00Z', '2026-03-09T04:00:00Z', '2026-03-16T04:00:00Z'],
  ['month', 'Pacific/Auckland', '2026-12-31T10:59:59Z', '2026-11-30T11:00:00Z', '2026-12-31T11:00:00Z'],
  ['month', 'Pacific/Auckland', '2026-12-31T11:00:00Z', '2026-12-31T11:00:00Z', '2027-01-31T11:00:00Z'],
])('the %s in %s that holds %s', (period, zone, now, from, to) => {
  expect(spanOf(period, zone, at(now))).toEqual({ start: at(from), end: at(to) });
});

test('every moment is in its own window, and windows follow each other, over the changes of the clocks', () => {
  const zones = [
    'Europe/Vienna',
    'America/Santiago',
    'America/Havana',
    'Africa/Cairo',
    'Asia/Beirut',
    'Asia/Kathmandu',
  ];
  for (const zone of [...zones, 'Australia/Lord_Howe'])
    for (const period of ['hour', 'day', 'week', 'month'] as const)
      for (let now = at('2026-01-01T00:00:00Z'); now < at('2027-01-01T00:00:00Z'); now += 37 * 3_600_000 + 61_007) {
        const { start: from, end } = spanOf(period, zone, now);
        expect(from <= now && now < end).toBe(true);
        expect(spanOf(period, zone, end).start).toBe(end);
      }
});

test('by the calendar, all is forgotten at once; in one that moves, bit by bit', () => {
  const day = new Account({ period: 'day', timeZone: 'UTC' });
  const noon = at('2026-03-01T12:00:00Z');
  day.add(noon, { calls: 5 });
  day.warned = true;
  expect(day.used(at('2026-03-01T23:59:59Z')).calls).toBe(5);
  expect(day.resetAt(noon)).toBe(at('2026-03-02T00:00:00Z'));
  expect([day.used(at('2026-03-02T00:00:00Z')).calls, day.warned]).toEqual([0, false]);

  const sliding = new Account({ slidingMs: 60_000 });
  sliding.add(noon, { calls: 1 });
  sliding.add(noon + 30_000, { calls: 2 });
  expect(sliding.resetAt(noon + 30_000)).toBe(noon + 61_000);
  expect(sliding.used(noon + 60_000).calls).toBe(3);
  expect(sliding.used(noon + 61_000).calls).toBe(2);
  expect(sliding.used(noon + 91_000).calls).toBe(0);
  for (let n = 0; n < 10_000; n++) sliding.add(noon + n * 100, { calls: 1 });
  expect(JSON.parse(JSON.stringify(sliding)).parts.length).toBeLessThanOrEqual(61);
});

test('who comes again after all of it was forgotten is held to it again; and each time it is told that nothing is left', async () => {
  let now = at('2026-03-01T12:00:00Z');
  const said: string[] = [];
  const budgets = new Budgets({ store: undefined, log: (_, message) => said.push(message), now: () => now });
  budgets.configure([budget({ calls: 1, window: { slidingMs: 60_000 } })]);
  const caller = { identity: { key: 'local', groups: [] }, route: { path: '/mcp', project: undefined } };
  const call = (): boolean => {
    const charges = budgets.of(caller);
    if (budgets.exhausted(charges)) return false;
    budgets.take(charges, { ...caller, server: 'up', tool: 'echo' });
    return true;
  };
  const usedUp = (): number => said.filter((message) => message === 'a budget is used up').length;
  expect([call(), call(), usedUp()]).toEqual([true, false, 1]);
  now += 61_000;
  expect([call(), call(), usedUp()]).toEqual([true, false, 2]);
  now += 61_000;
  await budgets.close();
  expect([call(), call(), usedUp()]).toEqual([true, false, 3]);
});

test('a clock that was put back does not hold what was counted in its future', () => {
  const account = new Account({ period: 'hour', timeZone: 'UTC' });
  account.add(at('2036-01-01T00:00:00Z'), { calls: 5 });
  expect(account.used(at('2026-01-01T00:00:00Z')).calls).toBe(0);
});

test('what is kept of a window that moves can be read again, however long it is, and one that cannot costs no other', async () => {
  for (const slidingMs of [1_000, 2_000, 5_000, 61_000, 90_000, 3_700_000]) {
    const account = new Account({ slidingMs });
    for (let now = 1_800_000_000_000, turn = 0; turn < 400; turn++, now += slidingMs / 97)
      account.add(now, { calls: 1 });
    expect(accountSchema.safeParse(account.toJSON()).error).toBeUndefined();
  }
  const month = budget({ name: 'month', calls: 10 });
  const kept = new Account(month.window);
  kept.add(Date.now(), { calls: 7 });
  const accounts = { month: kept.toJSON(), burst: { window: '{}', parts: 'none' } };
  const budgets = new Budgets({
    store: { read: () => ({ formatVersion: 1, accounts }), write: async () => {} },
    log: silent,
  });
  budgets.configure([month]);
  expect(budgets.statuses()).toMatchObject([{ budget: 'month', used: { calls: 7 } }]);
  await budgets.close();
});
