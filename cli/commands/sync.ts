import type { Issue } from '../../schemas/resource.ts';
import { TARGET_OPTIONS, type Command } from '../command.ts';
import { printIssues } from '../print/issues.ts';
import { findTarget, Refused } from '../target.ts';

interface Synced {
  readonly commit: { readonly id: string; readonly subject?: string };
  readonly outcomes: readonly {
    address: string;
    result: string;
    ms: number;
    error?: { error: string; error_code: string; hint: string };
    surface?: { lost: string[]; changed: string[] };
  }[];
}

export const command: Command = {
  summary: 'look at the config repo now, instead of at the next interval',
  options: [
    ...TARGET_OPTIONS,
    { flags: '--wait', description: 'wait until the commit is applied, and tell how it went' },
    { flags: '--retry', description: 'also try again what failed before' },
  ],
  examples: ['slipway sync', 'slipway sync --wait --retry'],

  async run({ options, io }) {
    const target = await findTarget(options, io);
    const query = new URLSearchParams({
      wait: String(options['wait'] === true),
      retry: String(options['retry'] === true),
    });
    try {
      const result = await target.json<Synced | { accepted: true }>('POST', `/sync?${query}`);
      if (!('commit' in result)) io.out('sync requested');
      else return report(result, io.out);
      return 0;
    } catch (error) {
      if (error instanceof Refused && Array.isArray(error.body['issues']))
        printIssues(error.body['issues'] as Issue[], io);
      throw error;
    }
  },
};

function report({ commit, outcomes }: Synced, out: (text: string) => void): number {
  out(`commit ${commit.id.slice(0, 12)} ${commit.subject ?? ''}`.trimEnd());
  for (const { address, result, ms, error, surface } of outcomes) {
    for (const word of ['lost', 'changed'] as const)
      if (surface && surface[word].length > 0) out(`${address}: the new version ${word} ${surface[word].join(', ')}`);
    out(
      `${address} ${result} in ${ms} ms${error ? `: ${error.error} [${error.error_code}]\n  hint: ${error.hint}` : ''}`,
    );
  }
  return outcomes.some((outcome) => outcome.error) ? 1 : 0;
}
