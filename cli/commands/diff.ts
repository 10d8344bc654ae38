import { ENVIRONMENT_OPTION, outputOption, SOURCE_OPTIONS, type Command } from '../command.ts';
import { compareCommits } from '../compare.ts';
import { PLAN_FORMATS } from '../print/plan.ts';

export const command: Command = {
  summary: 'show what changes between two commits: exit 0 nothing, 2 changes, 1 bad config',
  usage: '<from> <to>',
  options: [
    ...SOURCE_OPTIONS.filter((option) => !option.flags.startsWith('--ref')),
    ENVIRONMENT_OPTION,
    outputOption(PLAN_FORMATS),
  ],
  examples: ['slipway diff main feature', 'slipway diff v1.0 v1.1 -o json'],

  async run({ args: [from = '', to = ''], options, io }) {
    return compareCommits(from, to, options, io);
  },
};
