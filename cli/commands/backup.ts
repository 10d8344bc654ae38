import {
  load,
  manifestOf,
  memoryParseCache,
  planBetween,
  type BackupResult,
  type Desired,
  type Source,
} from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import { outputOption, SOURCE_OPTIONS, TARGET_OPTIONS, type Command, type Invocation } from '../command.ts';
import { BACKUP_OPTIONS, withBackups } from '../backup/open.ts';
import { verifyBackup } from '../backup/verify.ts';
import type { Io } from '../io.ts';
import { printIssues } from '../print/issues.ts';
import { contextOf } from '../context.ts';
import { planText } from '../print/plan.ts';
import { age, table } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';
import { withSource } from '../with-source.ts';

type Action = (invocation: Invocation, args: readonly string[]) => Promise<number>;

const ACTIONS: Readonly<Record<string, Action>> = { now, list, diff, verify };

export const command: Command = {
  summary: 'back up the config as a commit, and look at the backups there are',
  usage: '<now|list|diff|verify> [backup] [other]',
  options: [...TARGET_OPTIONS, ...SOURCE_OPTIONS, ...BACKUP_OPTIONS, outputOption(['table', 'json', 'yaml'])],
  examples: ['slipway backup now', 'slipway backup list', 'slipway backup diff latest', 'slipway backup verify'],

  async run(invocation) {
    const [word = '', ...args] = invocation.args;
    const action = Object.hasOwn(ACTIONS, word) ? ACTIONS[word] : undefined;
    if (!action)
      throw new SlipwayError('usage', `There is no \`backup ${word}\`; there is ${Object.keys(ACTIONS).join(', ')}.`);
    return action(invocation, args);
  },
};

/** Asks the Slipway that runs: it knows what is in force. */
async function now({ options, io }: Invocation): Promise<number> {
  const target = await findTarget(options, io);
  const result = await target.json<BackupResult>('POST', '/backup');
  const format = options['output'];
  if (format === 'json' || format === 'yaml') io.out(formatValue(result, format));
  else
    io.out(
      result.made
        ? `backed up as ${result.name}: ${result.resources} resources`
        : `${result.name} holds the same already`,
    );
  for (const { address, path } of result.masked) io.err(`left out, because it is written in clear: ${address} ${path}`);
  for (const { path, reason } of result.left) io.err(`left out: ${path} (${reason})`);
  if (!result.delivered) io.err(`it waits for the remote${result.error === undefined ? '' : `: ${result.error}`}`);
  return 0;
}

async function list({ options, io }: Invocation): Promise<number> {
  return withBackups(options, io, async ({ all }) => {
    const format = options['output'];
    if (format === 'json' || format === 'yaml') io.out(formatValue(all, format));
    else
      io.out(
        table(
          ['name', 'age', 'of', 'commit', 'about'],
          all.map(({ name, at, of, commit, subject }) => [name, age(at), of.slice(0, 8), commit.slice(0, 8), subject]),
        ),
      );
    return 0;
  });
}

/** From a backup to another one, or to the config as it is now: what `plan` says, as if the backup ran. */
async function diff({ options, io }: Invocation, [from = 'latest', to]: readonly string[]): Promise<number> {
  return withBackups(options, io, async ({ find, source }) => {
    const before = await desired(source, io, find(from).commit);
    const after =
      to === undefined
        ? await withSource(options, io, (config) => desired(config, io))
        : await desired(source, io, find(to).commit);
    if (!before || !after) return 1;
    const difference = await planBetween(before, after, { contextOf });
    const format = options['output'];
    io.out(format === 'json' || format === 'yaml' ? formatValue(difference, format) : planText(difference, io.paint));
    return exitCodeOf(difference);
  });
}

/** Whether each backup is whole, is what its own list says, and holds a config that can be restored. */
async function verify({ options, io }: Invocation, [wanted]: readonly string[]): Promise<number> {
  return withBackups(options, io, async ({ all, find, source, mirror }) => {
    const verdicts = [];
    for (const one of wanted === undefined ? all : [find(wanted)]) {
      const { audit } = await manifestOf(mirror, one.commit, io.signal).catch(() => ({ audit: undefined }));
      const problems = await verifyBackup(one, { mirror, source, signal: io.signal });
      verdicts.push({
        name: one.name,
        commit: one.commit,
        ok: problems.length === 0,
        problems,
        ...(audit ? { audit } : {}),
      });
    }
    const format = options['output'];
    if (format === 'json' || format === 'yaml') io.out(formatValue(verdicts, format));
    else
      for (const { name, ok, problems } of verdicts)
        io.out(ok ? `${name} is whole` : `${name}: ${problems.join('; ')}`);
    return verdicts.every(({ ok }) => ok) ? 0 : 1;
  });
}

async function desired(source: Source, io: Io, commit?: string): Promise<Desired | undefined> {
  const { id } = commit === undefined ? await source.fetch(io.signal) : { id: commit };
  const { issues, ...found } = await load(source, id, memoryParseCache(), io.signal);
  if (issues.length === 0) return found;
  printIssues(issues, io);
  return undefined;
}
