import type { Command } from '../command.ts';
import { ATTACH, changeAttachment } from '../write/attach.ts';

export const command: Command = {
  ...ATTACH,
  summary: 'put a server into a project',
  examples: ['slipway attach server pager --project dev', 'slipway attach server/pager -p dev --dry-run --diff'],
  run: (invocation) =>
    changeAttachment(invocation, 'attached', (names, name) => (names.includes(name) ? names : [...names, name])),
};
