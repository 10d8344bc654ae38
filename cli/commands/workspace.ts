import { SlipwayError } from '../../schemas/errors.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

const SUMMARY = 'look at workspaces now: exit 1 if one could not be synced';

interface Synced {
  readonly name: string;
  readonly commit?: string;
  readonly files?: number;
  readonly changed: boolean;
  readonly error?: { readonly error: string; readonly error_code: string; readonly hint: string };
}

export const command: Command = {
  summary: 'what is kept ready of repositories and folders: sync',
  usage: '<sync>',
  commands: { sync: { summary: SUMMARY, make: () => sync } },
  examples: ['slipway workspace sync', 'slipway workspace sync handbook'],
  run: ({ args: [action] }) =>
    Promise.reject(new SlipwayError('usage', `There is no \`workspace ${action}\`; there is \`workspace sync\`.`)),
};

const sync: Command = {
  summary: SUMMARY,
  usage: '[workspaces...]',
  options: [...TARGET_OPTIONS, outputOption(['text', 'json'])],
  examples: ['slipway workspace sync', 'slipway workspace sync handbook'],

  async run({ args, options, io }) {
    const target = await findTarget(options, io);
    const all = await target.json<Synced[]>('POST', '/workspaces', { body: { names: args } });
    if (options['output'] === 'json') io.out(formatValue(all, 'json'));
    else for (const one of all) io.out(lineFor(one));
    return all.some(({ error }) => error) ? 1 : 0;
  },
};

function lineFor({ name, commit, files = 0, changed, error }: Synced): string {
  if (error) return `workspace/${name} failed: ${error.error} [${error.error_code}]\n  hint: ${error.hint}`;
  const where = commit === undefined ? '' : ` at ${commit.slice(0, 12)}`;
  return `workspace/${name} ${changed ? 'synced' : 'unchanged'}${where}, ${files} files`;
}
