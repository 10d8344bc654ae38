/** Work that is undone again and again: three rounds, then a person is told. */
import { expect, test } from 'vitest';
import { memoryServer } from '../helpers/config.ts';
import { Rig } from '../helpers/rig.ts';
import { eventually } from '../helpers/until.ts';

test('what is undone again and again is mended three times, then somebody is told; a commit or --retry goes on', async () => {
  let made = 0;
  await using rig = await Rig.make({ memory: { onEnsure: () => void made++ }, record: true });
  const instances = () => rig.memory.list(new AbortController().signal);
  /** As somebody would who has other ideas of how the server should run. */
  const meddle = async (): Promise<void> => {
    const [instance] = await instances();
    rig.memory.alter(instance?.id ?? '', 'its image is another');
  };
  const mended = async (): Promise<void> => {
    const before = made;
    await meddle();
    const isOver = async () => !rig.reconciler.world.working && (await instances()).length === 1;
    await eventually(async () => made === before + 1 && (await isOver()));
  };
  const stalled = async (): Promise<void> => {
    const before = made;
    await meddle();
    await rig.untilStatus(() => rig.statuses.at(-1)?.conditions.some(({ reason }) => reason === 'PlanLoop') ?? false);
    expect(made).toBe(before);
    expect(await rig.overall('Stalled')).toBe('True=PlanLoop');
  };

  await rig.reconciler.start();
  await rig.apply({ 'a.yaml': memoryServer('a') });
  for (let round = 0; round < 3; round++) await mended();
  await stalled();
  // What runs keeps running, and asking again changes nothing.
  await expect(rig.reconciler.sync()).rejects.toMatchObject({
    code: 'plan-loop',
    message: expect.stringContaining('Server/a (it was changed by hand)') as string,
  });
  expect(await rig.call('a', 'echo', { message: 'hi' })).toContain('hi');

  await rig.reconciler.sync({ retry: true });
  expect(await rig.overall()).toBe('True=Succeeded');
  for (let round = 0; round < 2; round++) await mended();
  await stalled();
  await rig.apply({}, {});
  expect(await rig.overall()).toBe('True=Succeeded');
  await mended();
  // A pass that finds nothing to do ends the row.
  await rig.reconciler.sync();
  for (let round = 0; round < 3; round++) await mended();
  await stalled();
});
