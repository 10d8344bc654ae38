/**
 * What somebody does to a container by hand, for each `drift:`. Being killed is a crash, not drift: what crashes comes back
 * in any case.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ifThere } from '../../reconciler/drivers/docker/answers.ts';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import type { Instance } from '../../reconciler/drivers/driver.ts';
import { imageServer } from '../helpers/config.ts';
import { describeEngine } from '../helpers/engine.ts';
import { serverImage } from '../helpers/images.ts';
import { Rig } from '../helpers/rig.ts';
import { eventually } from '../helpers/until.ts';

const never = (): AbortSignal => new AbortController().signal;

type Container = ReturnType<Engine['docker']['getContainer']>;

interface Meddling {
  readonly what: string;
  readonly act: (container: Container, engine: Engine) => Promise<unknown>;
  readonly told: string;
  /** Whether it goes on running where nobody heals it. */
  readonly lives: boolean;
}

const MEDDLINGS: readonly Meddling[] = [
  { what: 'stopped', act: (container) => container.stop(), told: 'it was stopped by hand', lives: false },
  {
    what: 'removed',
    act: (container) => container.remove({ force: true }),
    told: 'its container was removed by hand',
    lives: false,
  },
  { what: 'paused', act: (container) => container.pause(), told: 'it was paused by hand', lives: true },
  {
    what: 'given another memory limit',
    act: (container) => container.update({ Memory: 2 ** 28, MemorySwap: 2 ** 28 }),
    told: `its memory limit was changed by hand to ${2 ** 28}`,
    lives: true,
  },
  {
    what: 'taken off its network',
    async act(container, { docker }) {
      const [network = ''] = Object.keys((await container.inspect()).NetworkSettings.Networks);
      await docker.getNetwork(network).disconnect({ Container: container.id });
      // Of which no event of a container tells: the next listing does, a minute later, or after any other event.
      await container.rename({ name: `slipway-renamed-${container.id.slice(0, 8)}` });
    },
    told: 'it was disconnected from its network by hand',
    lives: true,
  },
];

describeEngine('a container that is', async (engine) => {
  const image = await serverImage(engine);
  let rig: Rig;
  let servers = 0;
  beforeAll(async () => {
    rig = await Rig.make({ engine });
    await rig.reconciler.start();
  });
  afterAll(() => rig?.[Symbol.asyncDispose]());

  const containersOf = (name: string) => {
    const label = [`slipway.owner=${rig.state.owner}`, `slipway.server=${name}`];
    return engine.docker.listContainers({ all: true, filters: { label } });
  };
  const instanceOf = async (name: string): Promise<Instance | undefined> =>
    (await rig.docker.list(never())).find(({ address }) => address === `Server/${name}`);
  /** A server of its own for a test. */
  const fresh = async (drift: string): Promise<{ name: string; container: Container }> => {
    const name = `server${servers++}`;
    const spec = { transport: 'http', drift, rollout: { monitor: '0s' } };
    await rig.apply({ [`${name}.yaml`]: imageServer(name, image, ['http'], spec) });
    expect(await rig.call(name, 'version')).toBe('v1');
    const [found] = await containersOf(name);
    return { name, container: engine.docker.getContainer(found?.Id ?? '') };
  };
  const answers = (name: string): Promise<string> =>
    eventually(() => rig.call(name, 'version').catch(() => undefined), 60_000);

  test.each(MEDDLINGS)('$what: enforce heals it', async ({ act }) => {
    const { name, container } = await fresh('enforce');
    await act(container, engine);
    await eventually(() => isWhole(name), 60_000);
    expect(await answers(name)).toBe('v1');
    expect((await instanceOf(name))?.drift).toBeUndefined();
  });

  /** Exactly one container, and it is as it was asked for. */
  const isWhole = async (name: string): Promise<boolean> => {
    const [found, ...more] = await containersOf(name);
    const info = found && (await ifThere(engine.docker.getContainer(found.Id).inspect()));
    const { Running, Paused } = info?.State ?? {};
    const connected = Object.keys(info?.NetworkSettings.Networks ?? {}).length === 1;
    const limited = info?.HostConfig.Memory === 2 ** 29;
    return more.length === 0 && Running === true && Paused === false && connected && limited;
  };

  test.each(MEDDLINGS)('$what: detect tells it, and leaves it so', async ({ act, told, lives }) => {
    const { name, container } = await fresh('detect');
    await act(container, engine);
    await rig.told(name, 'Drifted:True=ChangedByHand');
    const status = await rig.reconciler.status();
    const conditions = status.servers.find((each) => each.name === name)?.conditions ?? [];
    expect(conditions.find(({ type }) => type === 'Drifted')?.message).toContain(told);
    if (!lives) await untilLeft(name);
    await rig.reconciler.sync();
    expect((await containersOf(name)).map(({ State }) => State)).not.toContain(lives ? 'exited' : 'running');
  });

  test.each(MEDDLINGS)('$what: off neither heals nor tells it', async ({ act, told, lives }) => {
    const { name, container } = await fresh('off');
    await act(container, engine);
    await eventually(async () => (await instanceOf(name))?.drift?.includes(told));
    if (!lives) await untilLeft(name);
    await rig.reconciler.sync();
    expect(await rig.condition(name, 'Drifted')).toBeUndefined();
    expect((await containersOf(name)).map(({ State }) => State)).not.toContain(lives ? 'exited' : 'running');
  });

  /** It was tried to start it again, which was left. */
  const untilLeft = (name: string): Promise<unknown> =>
    eventually(async () => (await instanceOf(name))?.lastError?.includes('leaves it so'));

  test.each(['enforce', 'detect', 'off'])('killed: it crashed, and comes back (%s)', async (drift) => {
    const { name, container } = await fresh(drift);
    await container.kill();
    await rig.told(name, 'Ready:False=Crashed');
    await rig.told(name, 'Ready:True=Succeeded');
    expect(await answers(name)).toBe('v1');
    expect(await rig.condition(name, 'Drifted')).toBeUndefined();
  });
});
