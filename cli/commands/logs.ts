import { SlipwayError } from '../../schemas/errors.ts';
import { TARGET_OPTIONS, text, type Command } from '../command.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'show what a server writes to stderr',
  usage: '<server>',
  options: [
    ...TARGET_OPTIONS,
    { flags: '-f, --follow', description: 'go on as new lines come' },
    { flags: '--tail <lines>', description: 'only the last lines' },
    { flags: '-i, --index <n>', description: 'which instance, counting from 0' },
  ],
  examples: ['slipway logs github', 'slipway logs github -f --tail 20'],

  async run({ args: [server = ''], options, io }) {
    const query = new URLSearchParams({ follow: String(options['follow'] === true) });
    for (const name of ['tail', 'index']) {
      const value = text(options, name);
      if (value === undefined) continue;
      if (!/^\d+$/.test(value)) throw new SlipwayError('usage', `--${name} must be a number, not ${value}.`);
      query.set(name, value);
    }
    const target = await findTarget(options, io);
    for await (const line of target.lines(`/logs/Server/${encodeURIComponent(server)}?${query}`)) io.out(line);
    return 0;
  },
};
