import { SlipwayError } from '../../schemas/errors.ts';
import type { PruneRequest, PruneResult } from '../../schemas/operate.ts';
import { TARGET_OPTIONS, text, type Command } from '../command.ts';
import type { Io } from '../io.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'remove what Slipways that are gone have left on this host and its engines',
  usage: '[ids...]',
  options: [
    ...TARGET_OPTIONS,
    { flags: '--dry-run', description: 'only tell what would be removed' },
    { flags: '--owner <id>', description: 'remove what this owner left, even if it may still be alive' },
    { flags: '-y, --yes', description: 'do not ask' },
  ],
  examples: ['slipway prune --dry-run', 'slipway prune --yes'],

  async run({ args, options, io }) {
    const target = await findTarget(options, io);
    const owner = text(options, 'owner');
    const ask = (dryRun: boolean): Promise<PruneResult> => {
      const body: PruneRequest = { ids: [...args], dryRun, ...(owner === undefined ? {} : { owner }) };
      return target.json<PruneResult>('POST', '/prune', { body });
    };
    const wanted = await ask(true);
    for (const { id, reason } of wanted.kept) io.err(`kept ${id}: ${reason}`);
    if (wanted.removed.length === 0) io.err('nothing to remove');
    if (wanted.removed.length === 0 || options['dryRun'] === true) {
      wanted.removed.forEach((id) => io.out(id));
      return wanted.kept.length > 0 && args.length > 0 ? 1 : 0;
    }
    if (options['yes'] !== true && !(await confirmed(wanted.removed, io))) return 1;
    const { removed, kept } = await ask(false);
    removed.forEach((id) => io.out(id));
    const failed = kept.filter(({ id }) => wanted.removed.includes(id));
    for (const { id, reason } of failed) io.err(`kept ${id}: ${reason}`);
    return failed.length > 0 ? 1 : 0;
  },
};

/** @throws SlipwayError usage where nobody can be asked */
function confirmed(ids: readonly string[], io: Io): Promise<boolean> {
  if (!io.confirm) throw new SlipwayError('usage', 'There is no terminal to ask on.', { hint: 'Say --yes.' });
  return io.confirm(`Remove ${ids.join(', ')}?`);
}
