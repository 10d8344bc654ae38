/** What the plan says of downtime is what callers then see: each class against a real server under calls. */
import { expect, test } from 'vitest';
import { compile } from '../../../reconciler/compile.ts';
import { load } from '../../../reconciler/load.ts';
import { memoryParseCache } from '../../../reconciler/parse-cache.ts';
import { plan } from '../../../reconciler/plan.ts';
import { observe } from '../../../reconciler/world.ts';
import type { Downtime } from '../../../schemas/plan.ts';
import { resource, server } from '../../helpers/config.ts';
import { startLoad } from '../../helpers/load.ts';
import { Rig } from '../../helpers/rig.ts';

const never = (): AbortSignal => new AbortController().signal;

/** It takes a moment to listen, so that a gap is one that somebody notices. */
const tiny = (version: string, more: object = {}): string =>
  server('tiny', 'late', [version], { transport: 'http', rollout: { monitor: '0s', ...more } });

const CASES: Record<string, { before: string; after: string | null; expected: Downtime }> = {
  'nothing changed': { before: tiny('v1'), after: tiny('v1'), expected: 'none' },
  'a description': {
    before: tiny('v1'),
    after: server('tiny', 'late', ['v1'], { transport: 'http', rollout: { monitor: '0s' }, description: 'new' }),
    expected: 'reload',
  },
  'more instances': {
    before: tiny('v1'),
    after: server('tiny', 'late', ['v1'], { transport: 'http', rollout: { monitor: '0s' }, replicas: 2 }),
    expected: 'reload',
  },
  'another version': { before: tiny('v1'), after: tiny('v2'), expected: 'swap' },
  'another version, without room for both': {
    before: tiny('v1'),
    after: tiny('v2', { maxSurge: 0, maxUnavailable: 1 }),
    expected: 'restart',
  },
  'another version, the old one first': {
    before: tiny('v1'),
    after: tiny('v2', { strategy: 'recreate' }),
    expected: 'restart',
  },
  'switched off': {
    before: tiny('v1'),
    after: server('tiny', 'late', ['v1'], { transport: 'http', enabled: false }),
    expected: 'stop',
  },
  removed: { before: tiny('v1'), after: null, expected: 'stop' },
};

test.for(Object.keys(CASES))('%s', { timeout: 120_000 }, async (name) => {
  const { before = '', after = null, expected } = CASES[name] ?? {};
  await using rig = await Rig.make({ gateway: true });
  await rig.apply({ 'a.yaml': before, 'g.yaml': resource('Gateway', 'gateway', { listen: '127.0.0.1:0' }) });
  const { planned, seen } = await change(rig, after);
  expect(planned).toBe(expected);
  expect(seen).toBe(expected === 'none' ? 'reload' : expected);
});

test('to a server elsewhere and back', { timeout: 120_000 }, async () => {
  await using rig = await Rig.make({ gateway: true });
  // The server elsewhere is another one of ours.
  await rig.apply({ 'a.yaml': tiny('v1'), 'b.yaml': server('other', 'http', ['v1'], { transport: 'http' }) });
  const url = rig.snapshot.servers['other']?.endpoints[0]?.address;
  expect(await change(rig, resource('Server', 'tiny', { url, privateNetwork: true }))).toEqual({
    planned: 'swap',
    seen: 'swap',
  });
  expect(await change(rig, tiny('v1'))).toEqual({ planned: 'swap', seen: 'swap' });
});

/** Pushes the change under load. @returns what the plan said of it, and what callers saw */
async function change(rig: Rig, content: string | null): Promise<{ planned: string; seen: string }> {
  rig.repo.push({ 'a.yaml': content });
  const { world } = rig.reconciler;
  const { id } = await world.source.fetch(never());
  const loaded = await load(world.source, id, memoryParseCache(), never());
  const { changes } = plan(compile(loaded), await observe(world, never()));
  const planned = changes.find(({ address }) => address === 'Server/tiny')?.downtime ?? 'none';
  const stop = await startLoad(rig.url, 'tiny__pid', { perSecond: 100, sessions: 2 });
  await stop.answered(5); // Some calls before …
  await rig.reconciler.sync();
  await stop.answered(5); // … and some after.
  const { answers, failures } = await stop();
  const pids = new Set(answers.filter((answer) => answer !== ''));
  const old = answers[0] ?? '';
  if (answers.slice(-3).every((answer) => answer === '')) return { planned, seen: 'stop' };
  if (failures.length > 0) return { planned, seen: 'restart' };
  return { planned, seen: pids.size > 1 && answers.lastIndexOf(old) < answers.length - 3 ? 'swap' : 'reload' };
}
