import { TARGET_OPTIONS, type Command } from '../command.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'say no to a proposal: its branch goes',
  usage: '<proposal>',
  options: TARGET_OPTIONS,
  examples: ['slipway reject add-the-search-server-1a2b3c'],

  async run({ args: [id = ''], options, io }) {
    const target = await findTarget(options, io);
    await target.json('POST', `/proposals/${encodeURIComponent(id)}/reject`);
    io.out(`rejected ${id}`);
    return 0;
  },
};
