import { WRITE_OPTIONS, type Command } from '../command.ts';
import { changeSuspension } from '../write/suspend.ts';

export const command: Command = {
  summary: 'have what was suspended follow the config again',
  usage: '<kind> [name]',
  options: WRITE_OPTIONS,
  examples: ['slipway resume server github -m "The incident is over"', 'slipway resume gateway/main'],
  run: (invocation) => changeSuspension(invocation, false),
};
