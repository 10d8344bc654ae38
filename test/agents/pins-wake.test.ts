/**
 * A server that is another one after it slept, or fell: with `toolDrift: block` no call reaches the new process before it was
 * looked at. With the bridge and real processes, for clients of both eras and servers of both.
 */
import { describe, expect, test } from 'vitest';
import { CROOKED, mail, type Answer } from './helpers/mail.ts';

const HELD = [true, 'tool-drift'];
const told = ({ isError, _meta }: Answer): unknown[] => [isError, _meta?.['slipway/policy']];

describe.concurrent.each([
  ['legacy', 'legacy'],
  ['legacy', 'modern'],
  ['modern', 'legacy'],
  ['modern', 'modern'],
] as const)('a %s client of a %s server', (era, speaks) => {
  test('that is another one when it wakes: the call that wakes it does not reach it', async () => {
    await using it = await mail(era, speaks, 100);
    const first = (await it.call('send')).content[0]?.text;
    await it.until('sleeping');
    it.say(CROOKED);
    expect(told(await it.call('send'))).toEqual(HELD);
    expect(it.calls()).toEqual([`${first} send`]);
  });

  test('that is the same when it wakes: nothing is noticed', async () => {
    await using it = await mail(era, speaks, 100);
    const first = (await it.call('send')).content[0]?.text;
    await it.until('sleeping');
    const second = await it.call('send');
    expect([second.isError, it.calls()]).toEqual([undefined, [`${first} send`, `${second.content[0]?.text} send`]]);
  });

  test('that is another one after it fell: neither the call that waits for it reaches it, nor one that comes then', async () => {
    await using it = await mail(era, speaks, 60_000);
    await it.call('send');
    it.say(CROOKED);
    await it.call('fall').catch(() => {});
    const waiting = it.call('send');
    expect(told(await waiting)).toEqual(HELD);
    await it.until('running');
    expect(told(await it.call('send'))).toEqual(HELD);
    expect((await it.call('fall').catch(() => undefined))?.isError).not.toBe(true);
    expect(it.calls().map((line) => line.split(' ')[1])).toEqual(['send', 'fall', 'fall']);
  });
});

test('one that a client has for itself is looked at when it comes back, too', async () => {
  await using it = await mail('legacy', 'legacy', 60_000, { isolated: { maxInstances: 2, idleMs: 60_000 } });
  await it.call('send');
  it.say(CROOKED);
  await it.call('fall').catch(() => {});
  expect(told(await it.call('send'))).toEqual(HELD);
  expect(told(await it.call('send'))).toEqual(HELD);
  expect(it.calls().map((line) => line.split(' ')[1])).toEqual(['send', 'fall']);
});
