/** Rights are in force with their commit, whatever becomes of its rollouts. */
import { expect, test } from 'vitest';
import { goodOf, readApplied } from '../../reconciler/applied.ts';
import { memoryServer } from '../helpers/config.ts';
import { Rig } from '../helpers/rig.ts';

test('a rollout that fails does not bring back rights that its commit took, after a restart neither', async () => {
  await using rig = await Rig.make({
    memory: {
      onEnsure({ run }) {
        if (run.program.type === 'command' && run.program.argv[1] === 'bad') throw new Error('no');
      },
    },
  });
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'v1') });
  expect(rig.snapshots.at(-1)?.access.servers).toEqual({});
  const permissions = { rules: [{ pattern: 'drop_*', action: 'deny' }] };
  await rig.apply({ 'a.yaml': memoryServer('tiny', 'bad', { permissions }) });
  expect(await rig.condition('tiny')).toBe('False=RolledBack');
  const said = {
    tiny: {
      rules: [{ ...permissions.rules[0], file: 'a.yaml', line: expect.any(Number) as number }],
      file: 'a.yaml',
      line: expect.any(Number) as number,
    },
  };
  expect(rig.snapshots.at(-1)?.access.servers).toEqual(said);
  const good = goodOf(readApplied(rig.state.paths.applied));
  expect(good.draft.access.servers).toEqual(said);
  expect(good.workloads[0]?.run.program).toMatchObject({ argv: expect.arrayContaining(['v1']) as string[] });
});
