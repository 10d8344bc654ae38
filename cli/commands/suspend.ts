import { WRITE_OPTIONS, type Command } from '../command.ts';
import { changeSuspension } from '../write/suspend.ts';

export const command: Command = {
  summary: 'have what runs left alone, of a server or, with the gateway, of everything',
  usage: '<kind> [name]',
  options: WRITE_OPTIONS,
  examples: [
    'slipway suspend server github -m "Until the incident is over"',
    'slipway suspend gateway main --dry-run --diff',
  ],
  run: (invocation) => changeSuspension(invocation, true),
};
