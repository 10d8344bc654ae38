import type { Command } from '../command.ts';
import { ATTACH, changeAttachment } from '../write/attach.ts';

export const command: Command = {
  ...ATTACH,
  summary: 'take a server out of a project',
  examples: ['slipway detach server github --project dev'],
  run: (invocation) =>
    changeAttachment(invocation, 'detached', (names, name) => names.filter((other) => other !== name)),
};
