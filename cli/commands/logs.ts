import { SlipwayError } from '../../schemas/errors.ts';
import type { Status } from '../../schemas/status.ts';
import { TARGET_OPTIONS, text, type Command } from '../command.ts';
import { namedAmong } from '../read/choose.ts';
import { kindFor, oneNamedBy } from '../select.ts';
import { findTarget, type Target } from '../target.ts';

export const command: Command = {
  summary: 'show what a server writes to stderr',
  usage: '<server>',
  options: [
    ...TARGET_OPTIONS,
    { flags: '-f, --follow', description: 'go on as new lines come' },
    { flags: '--tail <lines>', description: 'only the last lines' },
    { flags: '--since <when>', description: 'only lines from then on: 2026-01-02T03:04:05Z, 10m' },
    { flags: '-i, --index <n>', description: 'which instance, counting from 0' },
  ],
  examples: ['slipway logs github', 'slipway logs github -f --tail 20', 'slipway logs server/github -i 0 --since 10m'],

  async run({ args: [word = ''], options, io }) {
    const kind = kindFor('server');
    const named = word.includes('/') ? oneNamedBy([word]) : { kind, name: word };
    if (named.kind !== kind) throw new SlipwayError('usage', `Only servers have logs, and ${word} is none.`);
    const query = new URLSearchParams({ follow: String(options['follow'] === true) });
    for (const name of ['tail', 'index']) {
      const value = text(options, name);
      if (value === undefined) continue;
      if (!/^\d{1,9}$/.test(value)) throw new SlipwayError('usage', `--${name} must be a number, not ${value}.`);
      query.set(name, value);
    }
    const since = text(options, 'since');
    if (since !== undefined) query.set('since', since);
    const target = await findTarget(options, io);
    try {
      for await (const line of target.lines(`/logs/${kind.kind}/${encodeURIComponent(named.name)}?${query}`))
        io.out(line);
    } catch (error) {
      if (error instanceof SlipwayError && error.code === 'not-found') await sayWhy(target, named.name);
      throw error;
    }
    return 0;
  },
};

/** There may be no such server, or one that runs elsewhere. @throws SlipwayError not-found */
async function sayWhy(target: Target, name: string): Promise<void> {
  const { servers } = await target.json<Status>('GET', '/status');
  namedAmong(
    [name],
    servers.map((server) => server.name),
    kindFor('server'),
  );
  if (servers.find((server) => server.name === name)?.runtime === 'remote')
    throw new SlipwayError('not-found', `${name} runs elsewhere, and its log is there.`, {
      hint: `See \`slipway events server ${name}\`.`,
    });
}
