import {
  asIfRunning,
  compile,
  memoryParseCache,
  NOTHING,
  plan,
  preview,
  type Preview,
} from '../../reconciler/index.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import { outputOption, SOURCE_OPTIONS, type Command, type Options } from '../command.ts';
import type { Io } from '../io.ts';
import { printIssues } from '../print/issues.ts';
import { planText } from '../print/plan.ts';
import { formatValue } from '../print/value.ts';
import { withSource } from '../with-source.ts';

export const command: Command = {
  summary: 'show what changes between two commits: exit 0 nothing, 2 changes, 1 bad config',
  usage: '<from> <to>',
  options: [...SOURCE_OPTIONS.filter((option) => !option.flags.startsWith('--ref')), outputOption(['text', 'json'])],
  examples: ['slipway diff main feature', 'slipway diff v1.0 v1.1 -o json'],

  async run({ args: [from = '', to = ''], options, io }) {
    const before = await previewOf(from, options, io);
    const after = await previewOf(to, options, io);
    const issues = [...before.issues, ...after.issues];
    if (issues.length > 0) {
      printIssues(issues, io);
      return 1;
    }
    const difference = plan(compile(after.desired), asIfRunning(before.desired));
    io.out(options['output'] === 'json' ? formatValue(difference, 'json') : planText(difference, io.paint));
    return exitCodeOf(difference);
  },
};

function previewOf(ref: string, options: Options, io: Io): Promise<Preview> {
  return withSource({ ...options, ref }, io, (source) =>
    preview(source, { applied: NOTHING, instances: [], failures: {} }, memoryParseCache(), io.signal),
  );
}
