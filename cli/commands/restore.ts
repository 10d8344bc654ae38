import { SlipwayError } from '../../schemas/errors.ts';
import { text, WRITE_OPTIONS, type Command } from '../command.ts';
import { BACKUP_OPTIONS, withBackups } from '../backup/open.ts';
import { restore, STRATEGIES, type Strategy } from '../backup/restore.ts';
import { placeOf } from '../place.ts';
import { oneNamedBy } from '../select.ts';
import { change } from '../write/change.ts';

export const command: Command = {
  summary: 'bring back what a backup holds, as a change of the config repo',
  usage: '<backup>',
  options: [
    { flags: '--only <thing>', description: 'one resource, kind/name, with the files that it needs' },
    {
      flags: '--strategy <strategy>',
      description:
        'what the config has, too: merge (the backup’s fields win, others stay), skip (it stays), overwrite (as in the backup)',
      choices: STRATEGIES,
      default: 'merge',
    },
    ...BACKUP_OPTIONS,
    ...WRITE_OPTIONS,
  ],
  examples: [
    'slipway restore latest --dry-run --diff',
    'slipway restore 20261121T030000000Z --only server/github --strategy overwrite',
    'slipway restore latest --from https://git.example.com/platform/backups.git -m "Restore"',
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const thing = text(options, 'only');
    const target = thing === undefined ? undefined : oneNamedBy([thing]);
    const only = target && { kind: target.kind.kind, name: target.name };
    const strategy = text(options, 'strategy') as Strategy;
    // What is restored is meant to be in force; a plain folder has no commits.
    const isGit = placeOf(text(options, 'repo') ?? '.', io.cwd).kind === 'git';
    return withBackups(options, io, async ({ source, find }) => {
      const { name, commit, of } = find(args[0] ?? '');
      let missing: readonly string[] = [];
      const code = await change(
        invocation,
        async (draft) => {
          const restored = await restore(draft, {
            source,
            commit,
            strategy,
            signal: io.signal,
            ...(only ? { only } : {}),
          });
          missing = restored.missing;
          if (restored.outcomes.length === 0) throw new SlipwayError('not-found', `The backup ${name} is empty.`);
          return restored.outcomes;
        },
        isGit ? () => `Restore ${name}, the config of ${of.slice(0, 8)}` : undefined,
      );
      for (const field of missing) io.err(`left empty, because no backup holds values in clear: ${field}`);
      return code;
    });
  },
};
