import { existsSync } from 'node:fs';
import { memoryParseCache, parseCache, preview, readFloor, statePaths } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import {
  ENVIRONMENT_OPTION,
  FLOOR_OPTION,
  outputOption,
  SOURCE_OPTIONS,
  TARGET_OPTIONS,
  text,
  type Command,
  type Options,
} from '../command.ts';
import { actual } from '../actual.ts';
import { compareCommits } from '../compare.ts';
import { contextOf } from '../context.ts';
import { PLAN_FORMATS, printNoPlan, printPlan } from '../print/plan.ts';
import { floorOf } from '../place.ts';
import { withSource } from '../with-source.ts';

export const command: Command = {
  summary: 'show what would change: exit 0 nothing, 2 changes, 1 bad config, 3 blocked by a guard',
  options: [
    ...SOURCE_OPTIONS,
    FLOOR_OPTION,
    ENVIRONMENT_OPTION,
    { flags: '--base <ref>', description: 'compare with this commit, as if it ran, instead of with what runs' },
    { flags: '--head <ref>', description: 'the commit to plan: the same as --ref' },
    ...TARGET_OPTIONS,
    outputOption(PLAN_FORMATS),
  ],
  examples: [
    'slipway plan',
    'slipway plan --ref feature -o json',
    'slipway plan --base origin/main --head HEAD -o markdown',
    'slipway plan --server https://mcp.example.com',
  ],

  async run({ options: given, io }) {
    const options = withHead(given);
    const base = text(options, 'base');
    if (base !== undefined) return compareCommits(base, text(options, 'ref'), options, io);
    return withSource(options, io, async (source, stateDir) => {
      const cache = existsSync(stateDir)
        ? parseCache(`${statePaths(stateDir).parseCache.replace(/\.json$/, '')}.plan.json`)
        : memoryParseCache();
      const { plan, issues } = await preview(source, await actual(options, io, stateDir), cache, io.signal, {
        floor: await readFloor(floorOf(options, io)),
        contextOf,
      });
      if (!plan) {
        printNoPlan(issues, options['output'], io);
        return 1;
      }
      printPlan(plan, options['output'], io);
      return exitCodeOf(plan);
    });
  },
};

/** @throws SlipwayError usage for what contradicts itself */
function withHead(options: Options): Options {
  const [head, ref, base] = [text(options, 'head'), text(options, 'ref'), text(options, 'base')];
  if (head !== undefined && ref !== undefined)
    throw new SlipwayError('usage', '--head and --ref are the same: give one.');
  if (base !== undefined && text(options, 'server') !== undefined)
    throw new SlipwayError('usage', '--base compares with a commit and --server with what runs there: give one.');
  return head === undefined ? options : { ...options, ref: head };
}
