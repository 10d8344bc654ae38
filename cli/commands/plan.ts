import { existsSync } from 'node:fs';
import {
  NOTHING,
  parseCache,
  memoryParseCache,
  preview,
  readApplied,
  statePaths,
  type Actual,
} from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import { outputOption, SOURCE_OPTIONS, TARGET_OPTIONS, text, type Command, type Options } from '../command.ts';
import type { Io } from '../io.ts';
import { printIssues } from '../print/issues.ts';
import { planText } from '../print/plan.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';
import { withSource } from '../with-source.ts';

export const command: Command = {
  summary: 'show what would change: exit 0 nothing, 2 changes, 1 bad config, 3 blocked by a guard',
  options: [...SOURCE_OPTIONS, ...TARGET_OPTIONS, outputOption(['text', 'json'])],
  examples: ['slipway plan', 'slipway plan --ref feature -o json'],

  async run({ options, io }) {
    return withSource(options, io, async (source, stateDir) => {
      const cache = existsSync(stateDir)
        ? parseCache(`${statePaths(stateDir).parseCache.replace(/\.json$/, '')}.plan.json`)
        : memoryParseCache();
      const { plan, issues } = await preview(source, await actual(options, io, stateDir), cache, io.signal);
      if (!plan) {
        printIssues(issues, io);
        return 1;
      }
      io.out(options['output'] === 'json' ? formatValue(plan, 'json') : planText(plan, io.paint));
      return exitCodeOf(plan);
    });
  },
};

/** What runs now: asked of the running Slipway, else read from what it left, else nothing. */
async function actual(options: Options, io: Io, stateDir: string): Promise<Actual> {
  try {
    const target = await findTarget(options, io, 'own');
    return await target.json<Actual>('GET', '/actual');
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'not-running') throw error;
    if (text(options, 'server') !== undefined) throw error;
  }
  const paths = statePaths(stateDir);
  const applied = existsSync(paths.applied) ? readApplied(paths.applied) : undefined;
  io.err(
    applied ? 'No Slipway runs: compared with what was applied last.' : 'No Slipway runs: compared with an empty host.',
  );
  return { applied: applied?.desired ?? NOTHING, instances: [], failures: applied?.failures ?? {} };
}
