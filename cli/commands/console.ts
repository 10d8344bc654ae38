import { toSlipwayError, SlipwayError } from '../../schemas/errors.ts';
import { SOURCE_OPTIONS, TARGET_OPTIONS, type Command, type Invocation } from '../command.ts';
import { findTarget } from '../target.ts';
import { command as planCommand } from './plan.ts';

export const command: Command = {
  summary: 'watch a running Slipway: servers, calls as they come, syncs, the plan',
  options: [
    ...TARGET_OPTIONS,
    ...SOURCE_OPTIONS.filter(({ flags }) => flags.startsWith('--repo')),
    { flags: '--audit', description: 'begin with all that the audit log holds' },
  ],
  examples: ['slipway console', 'slipway console --audit', 'slipway console --server https://mcp.example.com'],

  async run(invocation) {
    const { options, io } = invocation;
    if (!process.stdout.isTTY || !process.stdin.isTTY || io.unasked)
      throw new SlipwayError('usage', 'The console needs a terminal.', {
        hint: 'Elsewhere, see `slipway status`, `slipway events -f` and `slipway audit tail`.',
      });
    const over = new AbortController();
    io.signal.addEventListener('abort', () => over.abort(), { once: true });
    const target = await findTarget(options, { ...io, signal: over.signal });
    delete process.env['DEV']; // Somebody else's wish: with it, Ink looks for tools of its own developers.
    const { showConsole } = await import('../console/console.ts');
    await showConsole({
      target,
      audit: options['audit'] === true,
      colour: io.paint('red', '.') !== '.',
      plan: () => planLines(invocation),
      over,
    });
    return 0;
  },
};

/** What `slipway plan` says. */
async function planLines({ options, io }: Invocation): Promise<readonly string[]> {
  const lines: string[] = [];
  const say = (text: string): void => void lines.push(...text.split('\n'));
  try {
    await planCommand.run({
      args: [],
      options: { ...options, output: 'text' },
      io: { ...io, out: say, err: say, log: () => {}, paint: (_, text) => text },
    });
  } catch (error) {
    const { message, hint } = toSlipwayError(error);
    say(`${message}\n${hint}`);
  }
  return lines;
}
