import { SlipwayError } from '../../schemas/errors.ts';
import type { Proposal } from '../../schemas/proposals.ts';
import { TARGET_OPTIONS, type Command } from '../command.ts';
import { plainLines } from '../print/plain.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'say yes to a proposal: merge it into the config',
  usage: '<proposal>',
  options: [
    ...TARGET_OPTIONS,
    { flags: '--dry-run', description: 'tell what it would do, and stop' },
    { flags: '--yes', description: 'do not ask' },
  ],
  examples: [
    'slipway approve add-the-search-server-1a2b3c --dry-run',
    'slipway approve add-the-search-server-1a2b3c --yes',
  ],

  async run({ args: [id = ''], options, io }) {
    const target = await findTarget(options, io);
    const path = `/proposals/${encodeURIComponent(id)}`;
    const proposal = await target.json<Proposal & { plan?: { summary: string; text: string } }>('GET', path);
    io.err(
      plainLines(
        `${proposal.title}, by ${proposal.by ?? 'whoever pushed it'}\n${proposal.plan?.text ?? proposal.changes.join('\n')}`,
      ),
    );
    if (options['dryRun'] === true) return 0;
    if (options['yes'] !== true) {
      if (!io.confirm) throw new SlipwayError('usage', 'Nobody can be asked here.', { hint: 'Add --yes.' });
      if (!(await io.confirm('Merge it?'))) throw new SlipwayError('cancelled', 'It stays as it is.');
    }
    const { commit } = await target.json<{ commit: string }>('POST', `${path}/approve`);
    io.out(`merged as ${commit.slice(0, 12)}`);
    return 0;
  },
};
