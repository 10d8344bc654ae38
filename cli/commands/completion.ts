import { SlipwayError } from '../../schemas/errors.ts';
import type { Command } from '../command.ts';
import { SCRIPTS, type Shell } from '../complete/scripts.ts';

const SHELLS = Object.keys(SCRIPTS);

export const command: Command = {
  summary: 'print the completion script of a shell: commands, flags, kinds, and names as they are at that moment',
  usage: `<${SHELLS.join('|')}>`,
  examples: [
    'source <(slipway completion bash)   # for good: put this line into ~/.bashrc',
    'slipway completion zsh > _slipway   # in a folder of $fpath',
    'slipway completion fish > slipway.fish   # in ~/.config/fish/completions',
  ],

  async run({ args: [shell = ''], io }) {
    if (!Object.hasOwn(SCRIPTS, shell))
      throw new SlipwayError('usage', `There is no completion for ${shell}.`, { hint: `One of ${SHELLS.join(', ')}.` });
    io.out(SCRIPTS[shell as Shell].trimEnd());
    return 0;
  },
};
