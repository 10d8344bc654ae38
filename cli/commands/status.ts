import type { EventRow } from '../../schemas/operate.ts';
import { conditionOf, type Status } from '../../schemas/status.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { statusText } from '../print/status.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'tell how a running Slipway does, on one screen: exit 0 if it is ready',
  options: [...TARGET_OPTIONS, outputOption(['text', 'json', 'yaml'])],
  examples: ['slipway status', 'slipway status -o json'],

  async run({ options, io }) {
    const target = await findTarget(options, io);
    const format = options['output'];
    const isForMachines = format === 'json' || format === 'yaml';
    const status = await target.json<Status>('GET', isForMachines ? '/status?stats=true' : '/status');
    if (isForMachines) io.out(formatValue(status, format));
    else {
      const events = await target.json<EventRow[]>('GET', '/events');
      const warnings = events.filter(({ type }) => type === 'Warning');
      io.out(statusText(status, warnings, io));
    }
    return conditionOf(status, 'Ready')?.status === 'True' ? 0 : 1;
  },
};
