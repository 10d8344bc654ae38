import type { CacheStats, Cleared } from '../../schemas/cache.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { duration, milliseconds } from '../../schemas/kinds/fields.ts';
import { outputOption, TARGET_OPTIONS, text, type Command } from '../command.ts';
import { cacheText } from '../print/cache.ts';
import { bytesText } from '../print/size.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

const STATS = 'tell how much is kept, and how often it was of use';
const CLEAR = 'forget what is kept: all, one namespace, or what was not used for long';

export const command: Command = {
  summary: 'what is kept so that it need not be made again: stats, clear',
  usage: '<stats|clear>',
  commands: { stats: { summary: STATS, make: () => stats }, clear: { summary: CLEAR, make: () => clear } },
  examples: ['slipway cache stats', 'slipway cache clear --older-than 7d'],
  run: ({ args: [action] }) =>
    Promise.reject(
      new SlipwayError('usage', `There is no \`cache ${action}\`; there are \`cache stats\` and \`cache clear\`.`),
    ),
};

const stats: Command = {
  summary: STATS,
  options: [...TARGET_OPTIONS, outputOption(['text', 'json', 'yaml'])],
  examples: ['slipway cache stats', 'slipway cache stats -o json'],

  async run({ options, io }) {
    const target = await findTarget(options, io);
    const found = await target.json<CacheStats>('GET', '/cache');
    const format = options['output'];
    io.out(format === 'json' || format === 'yaml' ? formatValue(found, format) : cacheText(found));
    return 0;
  },
};

const clear: Command = {
  summary: CLEAR,
  usage: '[namespace]',
  options: [...TARGET_OPTIONS, { flags: '--older-than <duration>', description: 'only what was not used for so long' }],
  examples: ['slipway cache clear', 'slipway cache clear --older-than 7d'],

  async run({ args: [namespace], options, io }) {
    const age = text(options, 'olderThan');
    if (age !== undefined && !duration.safeParse(age).success)
      throw new SlipwayError('usage', `--older-than ${age} is no duration such as 7d.`);
    const target = await findTarget(options, io);
    const path = namespace === undefined ? '/cache' : `/cache/${encodeURIComponent(namespace)}`;
    const query = age === undefined ? '' : `?olderThan=${milliseconds(age)}`;
    const { entries, bytes } = await target.json<Cleared>('DELETE', path + query);
    io.out(`${entries} texts removed, ${bytesText(bytes)}`);
    return 0;
  },
};
