/** From a push to a tool call, with real processes and a real git repository. */
import { logged } from '../helpers/process-driver.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { memoryServer, server } from '../helpers/config.ts';
import { isAlive, survivors } from '../helpers/processes.ts';
import { Rig } from '../helpers/rig.ts';
import { TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;

test('a push starts a server, the next one replaces it, and not one of 20 calls a second fails', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']) });
  expect(await rig.call('tiny', 'version')).toBe('v1');
  const old = Number(await rig.call('tiny', 'pid'));
  const stop = new AbortController();
  const answers: Promise<string>[] = [];
  const load = (async () => {
    while (!stop.signal.aborted) {
      answers.push(rig.call('tiny', 'version'));
      await delay(50);
    }
  })();
  await rig.apply({ 'a.yaml': server('tiny', 'good', ['v2']) });
  answers.push(rig.call('tiny', 'version'));
  stop.abort();
  await load;
  const results = await Promise.all(answers);
  expect(new Set(results)).toEqual(new Set(['v1', 'v2']));
  expect(results.slice(results.indexOf('v2'))).not.toContain('v1');
  expect(await survivors([old])).toEqual([]);
  expect(await rig.driver.list(never())).toHaveLength(1);
});

test('a call that runs on the old version finishes there', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('slow', 'slow', ['v1']) });
  const running = rig.call('slow', 'wait', { tag: 'a' });
  const [{ id } = { id: '' }] = await rig.driver.list(never());
  await logged(rig.driver, id, 'waiting a');
  const old = rig.driver.connect?.(id, {});
  const applied = rig.apply({ 'a.yaml': server('slow', 'slow', ['v2']) });
  await rig.untilStatus(() => rig.snapshot.servers['slow']?.endpoints[0]?.id !== id);
  await old?.request('tools/call', { name: 'release', arguments: {} });
  expect(await running).toBe('done a');
  await applied;
});

test('a call that runs on a server which is removed finishes first', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('slow', 'slow'), 'b.yaml': server('tiny', 'good') });
  const [{ id } = { id: '' }] = (await rig.driver.list(never())).filter((entry) => entry.address === 'Server/slow');
  const client = rig.driver.connect?.(id, {});
  const running = client?.request('tools/call', { name: 'wait', arguments: { tag: 'a' } }).catch(String);
  await logged(rig.driver, id, 'waiting a');
  const applied = rig.apply({ 'a.yaml': null });
  await rig.untilStatus(() => rig.snapshot.servers['slow'] === undefined);
  // Time enough for a removal that does not wait to begin.
  for (let call = 0; call < 10; call++) await rig.call('tiny', 'echo', { message: 'hi' });
  await client?.request('tools/call', { name: 'release', arguments: {} }).catch(String);
  await applied;
  expect(await running).toMatchObject({ content: [{ text: 'done a' }] });
  expect((await rig.driver.list(never())).map((entry) => entry.address)).toEqual(['Server/tiny']);
});

test('a server that is no longer wanted is stopped, with its place in the routes', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('one', 'good'), 'b.yaml': server('two', 'good') });
  const pid = Number(await rig.call('two', 'pid'));
  await rig.apply({ 'b.yaml': null });
  expect(isAlive(pid)).toBe(false);
  expect(rig.snapshot.routes['/mcp']?.servers).toEqual(['one']);
  expect(await rig.call('one', 'echo', { message: 'hi' })).toBe('hi');
});

test('a server over HTTP is rolled out too, with a port of its own', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('web', 'http', ['v1'], { transport: 'http' }) });
  const [pid, port] = [Number(await rig.call('web', 'pid')), rig.snapshot.servers['web']?.endpoints[0]?.address];
  expect(await rig.call('web', 'version')).toBe('v1');
  await rig.apply({ 'a.yaml': server('web', 'http', ['v2'], { transport: 'http' }) });
  expect(await rig.call('web', 'version')).toBe('v2');
  expect(rig.snapshot.servers['web']?.endpoints[0]?.address).not.toBe(port);
  expect(await survivors([pid])).toEqual([]);
});

test('where only one can have the port, the old one stops first', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('web', 'http', ['v1'], { transport: 'http' }) });
  const port = Number(new URL(rig.snapshot.servers['web']?.endpoints[0]?.address ?? '').port);
  await rig.apply({ 'a.yaml': null, 'b.yaml': server('tiny', 'good') });
  const fixed = (version: string): string =>
    server('fixed', 'http', [version], { transport: 'http', http: { port }, rollout: { timeout: '10s' } });
  await rig.apply({ 'a.yaml': fixed('v1') });
  await rig.apply({ 'a.yaml': fixed('v2') });
  expect(await rig.call('fixed', 'version')).toBe('v2');
});

test('files of the config repo stand in the working directory, and a changed file is a new version', async () => {
  await using rig = await Rig.make();
  const spec = server('mirror', 'mirror', [], { files: ['conf/über.txt', 'run.sh'] });
  await rig.apply({ 'a.yaml': spec, 'conf/über.txt': 'one', 'run.sh': { executable: '#!/bin/sh\n' }, 'not.txt': 'x' });
  const before = rig.snapshot.servers['mirror']?.endpoints[0]?.id;
  const { files } = JSON.parse(await rig.call('mirror', 'cwd')) as { files: string[] };
  expect(files.sort()).toEqual(['conf', 'conf/über.txt', 'run.sh']);
  await rig.apply({ 'conf/über.txt': 'two' });
  expect(rig.snapshot.servers['mirror']?.endpoints[0]?.id).not.toBe(before);
  const after = rig.snapshot.servers['mirror']?.endpoints[0]?.id;
  await rig.apply({ 'not.txt': 'y' });
  expect(rig.snapshot.servers['mirror']?.endpoints[0]?.id).toBe(after);
});

test('a server that moves to another runtime leaves nothing in the old one', async () => {
  await using rig = await Rig.make();
  await rig.apply({ 'a.yaml': server('tiny', 'good'), 'b.yaml': memoryServer('mover') });
  await rig.apply({ 'b.yaml': server('mover', 'good') });
  const pid = Number(await rig.call('mover', 'pid'));
  // The same program: nothing but the runtime differs.
  await rig.apply({ 'b.yaml': server('mover', 'good', [], { runtime: 'memory' }) });
  expect(await survivors([pid])).toEqual([]);
  expect((await rig.memory.list(never())).map((entry) => entry.address)).toEqual(['Server/mover']);
});

test('dependsOn says who is started first, and who not at all', async () => {
  const order: string[] = [];
  await using rig = await Rig.make({
    memory: {
      onEnsure: async ({ name, run }) => {
        order.push(name);
        await delay(name === 'base' ? 20 : 0);
        if (run.program.type === 'command' && run.program.argv.includes('bad')) throw new Error('no');
      },
    },
  });
  await rig.apply({
    'a.yaml': memoryServer('app', 'v1', { dependsOn: ['middle'] }),
    'b.yaml': memoryServer('middle', 'v1', { dependsOn: ['base'] }),
    'c.yaml': memoryServer('base'),
  });
  expect(order).toEqual(['base', 'middle', 'app']);
  // It goes on where the version before of what it depends on serves …
  await rig.apply({
    'a.yaml': memoryServer('app', 'v2', { dependsOn: ['middle'] }),
    'c.yaml': memoryServer('base', 'bad'),
  });
  expect(await rig.condition('base')).toBe('False=RolledBack');
  expect(await rig.condition('app')).toBe('True=Succeeded');
  // … but not where nothing of it does.
  order.length = 0;
  await rig.apply({
    'a.yaml': memoryServer('app', 'v3', { dependsOn: ['late'] }),
    'd.yaml': memoryServer('late', 'bad'),
  });
  expect(order).not.toContain('app');
  expect(await rig.condition('app')).toBe('False=RolledBack');
  expect(await rig.call('app', 'echo', { message: 'the old one' })).toContain('the old one');
});

test('an instance that was killed behind our back is brought back by the next resync', async () => {
  await using rig = await Rig.make({ resyncMs: 50 });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1', { replicas: 2 }) });
  await rig.reconciler.start();
  const [first] = await rig.memory.list(never());
  const back = Promise.withResolvers<void>();
  rig.memory.kill(first?.id ?? '');
  using watch = rig.memory.watch?.((id) => id === first?.id && back.resolve());
  expect(watch).toBeDefined();
  await back.promise;
  expect(await rig.memory.list(never())).toHaveLength(2);
});

test('a start without the remote serves the last good commit', async () => {
  using dir = tempDir();
  const repo = new TestRepo();
  {
    await using rig = await Rig.make({ repo, stateDir: dir.at('state') });
    await rig.apply({ 'a.yaml': server('tiny', 'good', ['v1']) });
  }
  repo[Symbol.dispose]();
  await using rig = await Rig.make({ repo, stateDir: dir.at('state') });
  await rig.reconciler.start();
  await rig.untilStatus(() => (rig.snapshots.at(-1)?.servers['tiny']?.endpoints.length ?? 0) > 0);
  expect(await rig.call('tiny', 'version')).toBe('v1');
  await expect(rig.reconciler.sync()).rejects.toMatchObject({ code: 'source-unreachable' });
  expect(await rig.overall()).toBe('False=SourceUnreachable');
  expect(await rig.call('tiny', 'version')).toBe('v1');
});
