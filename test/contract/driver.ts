/** What every driver promises. A driver's own test hands in how to make one; the promises are the same for all. */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Driver, Instance } from '../../reconciler/drivers/driver.ts';
import { connectHttp } from '../../reconciler/health/http.ts';
import type { Workload } from '../../reconciler/workload.ts';
import type { Connection } from '../../schemas/peer.ts';
import { callTool, initialize, toolNames } from '../helpers/mcp.ts';
import { untilState } from '../helpers/process-driver.ts';
import { survivors } from '../helpers/processes.ts';

export interface DriverHarness extends AsyncDisposable {
  readonly driver: Driver;
}

export interface DriverSuite {
  readonly make: () => Promise<DriverHarness>;
  /** A workload that works, with a tool `echo`; another name or version gives another workload. */
  readonly workload: (name: string, version?: string) => Workload;
  /** Why there are no processes to look for; absent where every instance is one. */
  readonly noProcess?: string;
  /** Instances live on when their driver ends. */
  readonly outlives?: boolean;
  /** They are reached over HTTP, and not through the driver. */
  readonly http?: boolean;
}

const never = (): AbortSignal => new AbortController().signal;

export function driverContract(name: string, suite: DriverSuite): void {
  describe(`the driver ${name}`, () => {
    keepsInstances(suite);
    speaksMcp(suite);
    startsAgain(suite);
    cleansUp(suite);
  });
}

function keepsInstances({ make, workload }: DriverSuite): void {
  test('an instance is named slipway-<server>-<hash8>-<n> and says what it is an instance of', async () => {
    await using harness = await make();
    const wanted = workload('tiny');
    const instance = await harness.driver.ensure(wanted, 1, never());
    expect(instance).toMatchObject({ address: 'Server/tiny', hash: wanted.hash, index: 1, restarts: 0 });
    expect(instance.id).toBe(`slipway-tiny-${wanted.hash.slice(0, 8)}-1`);
    expect(instance.endpoint.id).toBe(instance.id);
  });

  test('ensuring what exists gives the same instance, one after the other or at the same time', async () => {
    await using harness = await make();
    const { driver } = harness;
    const both = await Promise.all([0, 0].map((index) => driver.ensure(workload('tiny'), index, never())));
    const again = await driver.ensure(workload('tiny'), 0, never());
    expect(new Set([...both, again].map((instance) => instance.id)).size).toBe(1);
    expect(new Set([...both, again].map((instance) => instance.endpoint.address)).size).toBe(1);
    expect(await driver.list(never())).toHaveLength(1);
    expect(await talk(driver, again)).toBe('hello');
  });

  test('replicas, versions and servers stand side by side', async () => {
    await using harness = await make();
    const { driver } = harness;
    const [first, second] = [workload('tiny', 'v1'), workload('tiny', 'v2')];
    await Promise.all([
      driver.ensure(first, 0, never()),
      driver.ensure(first, 1, never()),
      driver.ensure(second, 0, never()),
      driver.ensure(workload('other'), 0, never()),
    ]);
    const instances = await driver.list(never());
    expect(new Set(instances.map((instance) => instance.id)).size).toBe(4);
    expect(new Set(instances.map((instance) => instance.endpoint.address)).size).toBe(4);
  });

  test('a name of 63 characters works', async () => {
    await using harness = await make();
    const instance = await harness.driver.ensure(workload('a'.repeat(63)), 63, never());
    expect(await talk(harness.driver, instance)).toBe('hello');
  });

  test('a driver with another owner sees nothing of ours, and its removal of our ids does nothing', async () => {
    await using ours = await make();
    await using theirs = await make();
    const instance = await ours.driver.ensure(workload('tiny'), 0, never());
    expect(await theirs.driver.list(never())).toEqual([]);
    await theirs.driver.remove(instance.id, never());
    expect(await talk(ours.driver, instance)).toBe('hello');
  });

  test('changes are told while somebody watches, and not after', async () => {
    await using harness = await make();
    const { driver } = harness;
    const told: string[] = [];
    const watch = driver.watch?.((id) => told.push(id));
    expect(watch).toBeDefined();
    const { id } = await driver.ensure(workload('tiny'), 0, never());
    expect(told).toContain(id);
    told.length = 0;
    await driver.remove(id, never());
    expect(told).toContain(id);
    told.length = 0;
    watch?.[Symbol.dispose]();
    await driver.ensure(workload('tiny'), 0, never());
    expect(told).toEqual([]);
  });
}

function speaksMcp({ make, workload, http }: DriverSuite): void {
  test('a connection is a whole MCP conversation', async () => {
    await using harness = await make();
    const instance = await harness.driver.ensure(workload('tiny'), 0, never());
    const connection = await connect(harness.driver, instance);
    expect(await initialize(connection)).toMatchObject({ capabilities: { tools: {} } });
    expect(await toolNames(connection)).toContain('echo');
    expect(await callTool(connection, 'echo', { message: 'Grüße, 世界 🚢' })).toContain('Grüße, 世界 🚢');
    await expect(connection.request('no/such/method')).rejects.toThrow();
    expect(connection.inFlight).toBe(0);
    connection.close();
    // Over HTTP its end is a request of its own, which nobody waits for.
    if (!http) await expect(connection.request('tools/list', {})).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('connections to one instance do not disturb each other', async () => {
    await using harness = await make();
    const instance = await harness.driver.ensure(workload('tiny'), 0, never());
    const one = await connect(harness.driver, instance);
    const two = await connect(harness.driver, instance);
    await Promise.all([initialize(one), initialize(two)]);
    const numbers = Array.from({ length: 50 }, (_, index) => `number ${index}.`);
    const asked = numbers.map((message, index) => callTool(index % 2 === 0 ? one : two, 'echo', { message }));
    for (const [index, answer] of (await Promise.all(asked)).entries()) expect(answer).toContain(numbers[index]);
    one.close();
    expect(await callTool(two, 'echo', { message: 'still here' })).toContain('still here');
  });

  test('there is no connection to what does not exist', async () => {
    await using harness = await make();
    const { driver } = harness;
    expect(driver.connect?.('slipway-nobody-00000000-0', {})).toBeUndefined();
    const { id } = await driver.ensure(workload('tiny'), 0, never());
    await driver.remove(id, never());
    expect(driver.connect?.(id, {})).toBeUndefined();
  });

  test('what is idle says so', async () => {
    await using harness = await make();
    const instance = await harness.driver.ensure(workload('tiny'), 0, never());
    await talk(harness.driver, instance);
    await harness.driver.idle?.(instance.id, never());
    await harness.driver.idle?.('slipway-nobody-00000000-0', never());
  });
}

function startsAgain({ make, workload }: DriverSuite): void {
  test('what is restarted is there again under the same name, and tells why', async ({ skip }) => {
    await using harness = await make();
    const { driver } = harness;
    skip(!driver.restart, 'the driver restarts nothing');
    const instance = await driver.ensure(workload('tiny'), 0, never());
    await talk(driver, instance);
    const [before] = await driver.list(never());
    const back = untilState(driver, instance.id, 'crashed').then(() => untilState(driver, instance.id, 'running'));
    await driver.restart?.(instance.id, 'it had to be', never());
    const after = await back;
    expect(after).toMatchObject({ restarts: 1, lastError: 'it had to be' });
    if (before?.pid !== undefined) expect(after.pid).not.toBe(before.pid);
    expect(await talk(driver, after)).toBe('hello');
    await driver.restart?.('slipway-nobody-00000000-0', 'it had to be', never());
  });
}

function cleansUp({ make, workload, noProcess, outlives, http = false }: DriverSuite): void {
  test('removing what does not exist is fine, also twice', async () => {
    await using harness = await make();
    await harness.driver.remove('slipway-nobody-00000000-0', never());
    await harness.driver.remove('slipway-nobody-00000000-0', never());
    expect(await harness.driver.list(never())).toEqual([]);
  });

  test('what was removed is gone, and can be made anew', async () => {
    await using harness = await make();
    const { driver } = harness;
    const instance = await driver.ensure(workload('tiny'), 0, never());
    await talk(driver, instance);
    const [running] = await driver.list(never());
    await driver.remove(instance.id, never());
    await expectGone(driver, running);
    expect(await talk(driver, await driver.ensure(workload('tiny'), 0, never()))).toBe('hello');
  });

  test('an ensure that was given up before it began leaves nothing behind', async () => {
    await using harness = await make();
    const reason = new Error('given up');
    const ensured = harness.driver.ensure(workload('tiny'), 0, AbortSignal.abort(reason));
    await expect(ensured).rejects.toBe(reason);
    expect(await harness.driver.list(never())).toEqual([]);
  });

  test('an ensure that is given up on its way leaves nothing that is not listed', async () => {
    await using harness = await make();
    const giveUp = new AbortController();
    const ensured = harness.driver.ensure(workload('tiny'), 0, giveUp.signal);
    giveUp.abort(new Error('given up'));
    const [result] = await Promise.allSettled([ensured]);
    expect(await harness.driver.list(never())).toHaveLength(result.status === 'fulfilled' ? 1 : 0);
  });

  test.skipIf(outlives)('a disposed driver leaves nothing running', async () => {
    const harness = await make();
    const instances = await Promise.all(
      ['one', 'two'].map((server) => harness.driver.ensure(workload(server), 0, never())),
    );
    for (const instance of instances) await talk(harness.driver, instance);
    const running = await harness.driver.list(never());
    await harness[Symbol.asyncDispose]();
    for (const instance of running) await expectGone(harness.driver, instance);
  });

  if (noProcess !== undefined)
    test(`instances have no process (${noProcess})`, async () => {
      await using harness = await make();
      const instance = await harness.driver.ensure(workload('tiny'), 0, never());
      expect(instance.pid).toBeUndefined();
      expect(existsSync(instance.endpoint.address.replace('unix:', ''))).toBe(false);
    });
  else
    test('a running instance is a living process behind its endpoint', async () => {
      await using harness = await make();
      const instance = await harness.driver.ensure(workload('tiny'), 0, never());
      await talk(harness.driver, instance);
      const [running] = await harness.driver.list(never());
      expect(await survivors([running?.pid ?? 0], 0)).toHaveLength(1);
      expect(existsSync(instance.endpoint.address.replace('unix:', ''))).toBe(!http);
    });
}

/** Nothing tells that an HTTP server listens now: it is asked until it does. */
async function connect(driver: Driver, { id, endpoint }: Instance): Promise<Connection> {
  const held = driver.connect?.(id, {});
  if (held) return held;
  if (!endpoint.address.startsWith('http:')) throw new Error(`no connection to ${id}`);
  for (const deadline = Date.now() + 20_000; ;) {
    try {
      return await connectHttp(endpoint, 'test', AbortSignal.timeout(5000));
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(50);
    }
  }
}

async function talk(driver: Driver, instance: Instance): Promise<string> {
  const connection = await connect(driver, instance);
  await initialize(connection);
  const answer = await callTool(connection, 'echo', { message: 'hello' });
  connection.close();
  return answer.replace(/^.*: /, '');
}

async function expectGone(driver: Driver, instance: Instance | undefined): Promise<void> {
  expect(instance).toBeDefined();
  if (!instance) return;
  expect((await driver.list(never())).map((other) => other.id)).not.toContain(instance.id);
  expect(driver.connect?.(instance.id, {})).toBeUndefined();
  expect(existsSync(instance.endpoint.address.replace('unix:', ''))).toBe(false);
  if (instance.pid !== undefined) expect(await survivors([instance.pid])).toEqual([]);
}
