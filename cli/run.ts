/** From arguments to an exit code. The one place that turns errors into words and codes. */
import { inspect } from 'node:util';
import { Command as Commander, CommanderError, Option as CommanderOption } from 'commander';
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import { suggest } from '../schemas/suggest.ts';
import { GLOBAL_OPTIONS, type Command, type Option } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { COMPLETE } from './complete/scripts.ts';
import { quietOrLoud, type Io, type Wishes } from './io.ts';

/** @returns 0 fine, 1 error, 2 changes (plan, diff), 3 blocked by a guard, 64 wrong usage */
export async function run(given: readonly string[], io: Io): Promise<number> {
  if (given[0] === COMPLETE) {
    const { answer } = await import('./complete/answer.ts');
    return answer(await build(given, io, () => {}), given.slice(1), io);
  }
  const argv = given[0] === '--version' || given[0] === '-V' ? ['version', ...given.slice(1)] : given;
  const words = argv.slice(0, argv.indexOf('--') < 0 ? argv.length : argv.indexOf('--'));
  const [name, asked] = words.filter((word) => !word.startsWith('-'));
  let exit = 0;
  try {
    for (const word of name === 'help' ? [asked] : [name])
      if (word !== undefined && word !== 'help' && !Object.hasOwn(COMMANDS, word)) throw unknownCommand(word);
    const program = await build(argv, io, (code) => {
      exit = code;
    });
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return report(error instanceof CommanderError ? wrongUsage(error, name) : error, io, words.includes('--debug'));
  }
}

/** The program as far as `argv` needs it. @param onExit is told how the command ended */
export async function build(argv: readonly string[], io: Io, onExit: (code: number) => void): Promise<Commander> {
  const program = configured(new Commander('slipway'), io);
  program.description(
    'GitOps for MCP: push YAML to git, Slipway runs the MCP servers it names and serves them through one gateway.',
  );
  program.helpCommand('help [command]', 'show help');
  for (const [name, listed] of Object.entries(COMMANDS)) {
    const child = configured(program.command(name).summary(listed.summary).description(listed.summary), io);
    // Only what is asked about is loaded: the other rooms cost start-up time.
    if (!argv.includes(name)) continue;
    const { command } = await listed.load();
    define(child, command, { argv, io, onExit });
  }
  if (argv.every((word) => word.startsWith('-'))) program.action(() => program.outputHelp());
  return program;
}

function configured(commander: Commander, io: Io): Commander {
  for (const option of GLOBAL_OPTIONS) commander.addOption(made(option).helpGroup('Global options:'));
  return commander.exitOverride().configureOutput({
    writeOut: (text) => io.out(text.trimEnd()),
    writeErr: (text) => io.err(text.trimEnd()),
    outputError: () => {}, // Said where all errors are.
  });
}

interface Run {
  readonly argv: readonly string[];
  readonly io: Io;
  readonly onExit: (code: number) => void;
}

function define(commander: Commander, command: Command, { argv, io, onExit }: Run): void {
  commander.description(command.summary);
  for (const [name, { summary, aliases = [], make }] of Object.entries(command.commands ?? {})) {
    const child = configured(
      commander
        .command(name)
        .summary(summary)
        .description(summary)
        .aliases([...aliases]),
      io,
    );
    if ([name, ...aliases].some((word) => argv.includes(word))) define(child, make(), { argv, io, onExit });
  }
  if (command.usage) commander.arguments(command.usage);
  for (const option of command.options ?? []) commander.addOption(made(option));
  if (command.examples?.length)
    commander.addHelpText('after', `\nExamples:\n${command.examples.map((example) => `  ${example}`).join('\n')}`);
  commander.action(async () => {
    const args = commander.processedArgs.flat().filter((argument): argument is string => typeof argument === 'string');
    onExit(await command.run({ args, options: commander.opts(), io: quietOrLoud(io, wishesOf(commander)) }));
  });
}

function made({ flags, description, choices, default: value, repeated }: Option): CommanderOption {
  const option = new CommanderOption(flags, description);
  if (choices) option.choices(choices);
  if (value !== undefined) option.default(value);
  if (repeated) option.argParser((one, before: readonly string[] = []) => [...before, one]);
  return option;
}

/** Which global options were given, before the command or after it. */
function wishesOf(commander: Commander): Wishes {
  const levels: Commander[] = [];
  for (let level: Commander | null = commander; level; level = level.parent) levels.push(level);
  const isGiven = (name: string): boolean => levels.some((level) => level.getOptionValueSource(name) === 'cli');
  return { quiet: isGiven('quiet'), verbose: isGiven('verbose'), noInput: isGiven('input') };
}

/** What kubectl has and Slipway calls otherwise. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  rollout: '`slipway rollback` undoes a commit, `slipway status` tells how a rollout does.',
  undo: '`slipway rollback` undoes a commit.',
  scale: 'For example `slipway patch server <name> replicas=3`.',
  set: 'For example `slipway patch server <name> timeout=90s`.',
  label: 'For example `slipway patch server <name> metadata.labels.team=core`.',
  replace: '`slipway apply -f`.',
  run: '`slipway create server <name>`.',
  exec: '`slipway call <server> <tool>`.',
  'cluster-info': '`slipway status`.',
};

function unknownCommand(name: string): SlipwayError {
  const known = Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
  if (known !== undefined) return new SlipwayError('usage', `There is no command ${name}.`, { hint: known });
  const nearest = suggest(name, Object.keys(COMMANDS));
  return new SlipwayError('usage', `There is no command ${name}.`, nearest ? { hint: `Did you mean ${nearest}?` } : {});
}

/** `error: unknown option '--outptu'\n(Did you mean --output?)`, as all other errors are said. */
function wrongUsage({ message }: CommanderError, name: string | undefined): SlipwayError {
  const [first = '', more] = message.replace(/^error: /, '').split('\n');
  const hint = more?.replace(/^\(|\)$/g, '') ?? `See \`slipway ${name === undefined ? 'help' : `${name} --help`}\`.`;
  return new SlipwayError('usage', `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`, { hint });
}

function report(error: unknown, io: Io, isDebugged: boolean): number {
  const known = toSlipwayError(error);
  if (io.signal.aborted && known.code === 'cancelled') return 130;
  io.err(`error: ${known.message} [${known.code}]\nhint: ${known.hint}`);
  if (isDebugged || io.env['SLIPWAY_DEBUG']) io.err(inspect(known));
  else if (known.code === 'internal') io.err('Run it again with --debug to see where it happened.');
  return known.row.exit;
}
