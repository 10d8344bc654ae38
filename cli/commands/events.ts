import type { EventRow } from '../../schemas/operate.ts';
import { TARGET_OPTIONS, outputOption, text, type Command } from '../command.ts';
import { eventLine, eventTable } from '../print/events.ts';
import { table } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import { oneNamedBy } from '../select.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'tell what happened since Slipway started: commits, rollouts, crashes, drift',
  usage: '[kind] [name]',
  options: [
    ...TARGET_OPTIONS,
    { flags: '-f, --follow', description: 'go on as new ones come' },
    { flags: '--since <when>', description: 'a date, or how long ago: 2026-01-02T03:04:05Z, 1h' },
    { flags: '--warnings', description: 'only what went wrong' },
    outputOption(['table', 'json', 'yaml']),
  ],
  examples: [
    'slipway events',
    'slipway events server github',
    'slipway events --warnings --since 1h',
    'slipway events -f',
  ],

  async run({ args, options, io }) {
    const query = new URLSearchParams();
    if (args.length > 0) {
      const { kind, name } = oneNamedBy(args);
      query.set('for', `${kind.kind}/${name}`);
    }
    const since = text(options, 'since');
    if (since !== undefined) query.set('since', since);
    const isWanted = ({ type }: EventRow): boolean => options['warnings'] !== true || type === 'Warning';
    const format = options['output'];
    const target = await findTarget(options, io);
    if (options['follow'] === true) {
      query.set('follow', 'true');
      for await (const line of target.lines(`/events?${query}`)) {
        const event = JSON.parse(line) as EventRow;
        if (isWanted(event))
          io.out(
            format === 'table' ? eventLine(event) : format === 'json' ? line : `---\n${formatValue(event, 'yaml')}`,
          );
      }
      return 0;
    }
    const events = (await target.json<EventRow[]>('GET', `/events?${query}`)).filter(isWanted);
    const { head, rows } = eventTable(events, true);
    if (format === 'json' || format === 'yaml') io.out(formatValue(events, format));
    else if (events.length === 0) io.err('Nothing happened.');
    else io.out(table(head, rows));
    return 0;
  },
};
