import { memoryParseCache, NOTHING, preview, readFloor } from '../../reconciler/index.ts';
import { ENVIRONMENT_OPTION, FLOOR_OPTION, outputOption, SOURCE_OPTIONS, text, type Command } from '../command.ts';
import { floorOf } from '../place.ts';
import { printIssues } from '../print/issues.ts';
import { formatValue } from '../print/value.ts';
import { withSource } from '../with-source.ts';

export const command: Command = {
  summary: 'check YAML and report every issue',
  usage: '[folder]',
  options: [...SOURCE_OPTIONS, FLOOR_OPTION, ENVIRONMENT_OPTION, outputOption(['text', 'json'])],
  examples: ['slipway validate', 'slipway validate ./prod', 'slipway validate --ref origin/feature'],

  async run({ args, options, io }) {
    const folder = args[0] ?? text(options, 'repo') ?? '.';
    return withSource({ ...options, repo: folder }, io, async (source) => {
      const { desired, issues } = await preview(
        source,
        { applied: NOTHING, instances: [], failures: {} },
        memoryParseCache(),
        io.signal,
        { floor: await readFloor(floorOf(options, io)) },
      );
      if (options['output'] === 'json') io.out(formatValue({ issues }, 'json'));
      else if (issues.length > 0) printIssues(issues, io);
      else io.out(`${desired.resources.length} resources, no issues`);
      return issues.length > 0 ? 1 : 0;
    });
  },
};
