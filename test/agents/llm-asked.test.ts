/** Which language model is asked, and no more often than needed. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually } from '../helpers/until.ts';
import { modelScene } from './helpers/model-scene.ts';

const scene = modelScene();
const { ask, entry, statusOf } = scene;

describe('which one is asked', () => {
  const asked = (): unknown[] => scene.models.asked.splice(0).map(({ body }) => body['model']);

  test('by name, else by tier, else another tier, else the default', async () => {
    const [fast, heavy] = [entry('fast', { tier: 'fast' }), entry('heavy', { tier: 'heavy' })];
    const [rest, named] = [entry('rest', { isDefault: true }), entry('named')];
    scene.llms.configure([named, rest, heavy, fast]);
    for (const wish of [{}, { tier: 'heavy' }, { provider: 'named' }] as const) await ask('x', wish);
    expect(asked()).toEqual(['fast-1', 'heavy-1', 'named-1']);
    expect(scene.llms.modelFor({ tier: 'fast' })).toBe('fast--fast-1');
    scene.llms.configure([named, rest, heavy]);
    await ask('y');
    scene.llms.configure([named, rest]);
    await ask('z');
    expect(asked()).toEqual(['heavy-1', 'rest-1']);
    // One that is there alone is meant for all, unless a name is given.
    scene.llms.configure([named]);
    await ask('a');
    expect(await ask('a', { provider: 'gone' })).toBeUndefined();
    expect(asked()).toEqual(['named-1']);
    scene.llms.configure([]);
    expect([await ask('x'), scene.llms.modelFor({ tier: 'fast' }), scene.llms.statuses()]).toEqual([
      undefined,
      undefined,
      [],
    ]);
  });

  test('what a route may not tell others is told to nobody else, even when its own fails', async () => {
    scene.llms.configure([entry('ours'), entry('theirs', { isDefault: true, tier: 'fast' })]);
    const choice = { fast: 'ours' };
    await ask('x', { choice });
    await ask('x', { choice, tier: 'heavy' });
    await ask('x', { choice, provider: 'theirs' });
    expect(new Set(asked())).toEqual(new Set(['ours-1']));
    scene.models.answering = () => ({ status: 500, headers: { 'retry-after-ms': '1' } });
    expect(await ask('y', { choice })).toBeUndefined();
    expect(new Set(asked())).toEqual(new Set(['ours-1']));
  });

  test('providers that a new config leaves as they are go on; one that is gone may end what it began', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.models.answering = () => promise.then(() => 'late');
    scene.llms.configure([entry('one'), entry('two')]);
    const both = [ask('x', { provider: 'one' }), ask('x', { provider: 'two' })];
    await eventually(() => scene.models.asked.length === 2);
    scene.llms.configure([entry('one')]);
    resolve();
    expect(await Promise.all(both)).toEqual(['late', 'late']);
    expect(scene.llms.statuses()).toMatchObject([{ name: 'one', calls: 1 }]);
  });
});

describe('no more than needed', () => {
  test('the same question is asked once at a time; one who goes away takes it from nobody', async () => {
    scene.llms.configure([entry('it')]);
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.models.answering = () => promise.then(() => 'shared');
    const leaving = new AbortController();
    const asking = [ask('x'), ask('x'), ask('x', { signal: leaving.signal })];
    await eventually(() => scene.models.asked.length === 1);
    leaving.abort(new Error('gone'));
    await expect(asking[2]).rejects.toThrow('gone');
    resolve();
    expect(await Promise.all(asking.slice(0, 2))).toEqual(['shared', 'shared']);
    expect(scene.models.asked).toHaveLength(1);
    expect(statusOf('it')).toMatchObject({ calls: 1, inFlight: 0 });
  });

  test('when all have gone, so has the request; that is no failure', async () => {
    scene.llms.configure([entry('it')]);
    scene.models.answering = () => 'silence';
    const leaving = new AbortController();
    const asking = ask('x', { signal: leaving.signal });
    await eventually(() => scene.models.asked.length === 1);
    leaving.abort(new Error('gone'));
    await expect(asking).rejects.toThrow('gone');
    await scene.models.asked[0]?.closed;
    await eventually(() => statusOf('it')?.inFlight === 0);
    expect(statusOf('it')).toMatchObject({ state: 'unknown', errors: 0 });
    await expect(ask('x', { signal: leaving.signal })).rejects.toThrow('gone');
  });

  test('only so many run at the same time; the others wait', async () => {
    scene.llms.configure([entry('it', { maxConcurrent: 2 })]);
    const { promise, resolve } = Promise.withResolvers<void>();
    scene.models.answering = ({ prompt }) => promise.then(() => prompt);
    const all = ['1', '2', '3', '4', '5', '6'].map((prompt) => ask(prompt));
    await eventually(() => scene.models.running === 2);
    resolve();
    expect(await Promise.all(all)).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(scene.models.most).toBe(2);
  });

  test('who waits for a place does not make it slow: time runs from when it is asked', async () => {
    scene.llms.configure([entry('it', { maxConcurrent: 1, timeoutMs: 2_000 })]);
    scene.models.answering = ({ prompt }) => delay(500, prompt);
    const all = ['1', '2', '3', '4', '5', '6'];
    expect(await Promise.all(all.map((prompt) => ask(prompt)))).toEqual(all);
    expect(statusOf('it')).toMatchObject({ state: 'ok', errors: 0 });
  });

  test('beyond those that may wait, one is sent away, and that is no failure', async () => {
    scene.llms.configure([entry('it', { maxConcurrent: 1 })]);
    scene.models.answering = () => 'silence';
    const leaving = new AbortController();
    const waiting = Array.from({ length: 257 }, (_, at) =>
      ask(String(at), { signal: leaving.signal }).catch(() => 'gone'),
    );
    expect(await ask('one more')).toBeUndefined();
    expect(statusOf('it')).toMatchObject({ state: 'unknown', errors: 0, inFlight: 1 });
    leaving.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['gone']));
    scene.models.answering = () => 'well';
    expect(await ask('again')).toBe('well');
  });
});
