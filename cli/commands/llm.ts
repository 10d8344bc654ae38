import type { LlmCheck } from '../../schemas/llm.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

const SUMMARY = 'ask language models for a word, which may cost something: exit 1 if one does not answer';

export const command: Command = {
  summary: 'the language models of the config: check',
  usage: '<check>',
  commands: { check: { summary: SUMMARY, make: () => check } },
  examples: ['slipway llm check', 'slipway llm check local'],
  run: ({ args: [action] }) =>
    Promise.reject(new SlipwayError('usage', `There is no \`llm ${action}\`; there is \`llm check\`.`)),
};

const check: Command = {
  summary: SUMMARY,
  usage: '[llmproviders...]',
  options: [...TARGET_OPTIONS, outputOption(['text', 'json'])],
  examples: ['slipway llm check', 'slipway llm check local'],

  async run({ args, options, io }) {
    const target = await findTarget(options, io);
    const all = await target.json<LlmCheck[]>('POST', '/llms', { body: { names: args } });
    if (options['output'] === 'json') io.out(formatValue(all, 'json'));
    else for (const one of all) io.out(lineFor(one));
    if (all.length === 0) io.err('There is none.');
    return all.every(({ ok }) => ok) ? 0 : 1;
  },
};

const lineFor = ({ name, ok, tookMs, error }: LlmCheck): string =>
  `llmprovider/${name} ${ok ? 'answered' : 'failed'} after ${tookMs} ms${error === undefined ? '' : `: ${error}`}`;
