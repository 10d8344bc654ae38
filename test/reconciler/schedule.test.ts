/** When a schedule says that it is time. */
import { expect, test, vi } from 'vitest';
import { follow, isDue } from '../../reconciler/schedule.ts';

test('it is due when cron would say so, and who follows it is called as often', async () => {
  const at = (text: string): Date => new Date(`2026-${text}:30Z`);
  const cases: [string, string, boolean][] = [
    ['* * * * *', '01-02T03:04', true],
    ['*/5 * * * *', '01-02T03:05', true],
    ['*/5 * * * *', '01-02T03:04', false],
    ['5/20 * * * *', '01-02T03:45', true],
    ['5-30/10,59 * * * *', '01-02T03:25', true],
    ['5-30/10,59 * * * *', '01-02T03:35', false],
    ['0 2-4 * * *', '01-02T05:00', false],
    ['0 0 1 */3 *', '04-01T00:00', true],
    ['0 0 1 */3 *', '03-01T00:00', false],
    ['0 0 */10 * *', '01-11T00:00', true],
    ['0 0 * * 7', '01-04T00:00', true], // A Sunday.
    ['0 0 * * 0', '01-04T00:00', true],
    ['0 0 13 * 5', '01-13T00:00', true], // Either the day …
    ['0 0 13 * 5', '01-02T00:00', true], // … or the weekday.
    ['0 0 13 * 5', '01-14T00:00', false],
    ['0 0 31 2 *', '03-03T00:00', false],
  ];
  for (const [schedule, when, due] of cases)
    expect([schedule, when, isDue(schedule, at(when))]).toEqual([schedule, when, due]);
  vi.useFakeTimers({ now: at('01-02T03:03'), toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  try {
    let times = 0;
    using following = follow('*/5 * * * *', () => times++);
    void following;
    vi.advanceTimersByTime(10 * 60_000);
    expect(times).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});
