/** From arguments to an exit code. The one place that turns errors into words and codes. */
import { inspect } from 'node:util';
import { Command as Commander, CommanderError, Help, Option as CommanderOption } from 'commander';
import { SlipwayError, toSlipwayError } from '../schemas/errors.ts';
import { GLOBAL_OPTIONS, type Command, type Option } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { COMPLETE } from './complete/scripts.ts';
import { asSlipwaySays, choiceHint, commandHint, flagHint } from './elsewhere.ts';
import { quietOrLoud, type Io, type Wishes } from './io.ts';

/** @returns 0 fine, 1 error, 2 changes (plan, diff), 3 blocked by a guard, 64 wrong usage */
export async function run(given: readonly string[], io: Io): Promise<number> {
  if (given[0] === COMPLETE) {
    const { answer } = await import('./complete/answer.ts');
    return answer(await build(given, io, () => {}), given.slice(1), io);
  }
  const [first] = given;
  const argv = asSlipwaySays(first === '--version' || first === '-V' ? ['version', ...given.slice(1)] : given);
  const words = argv.slice(0, argv.indexOf('--') < 0 ? argv.length : argv.indexOf('--'));
  const [name, asked] = words.filter((word) => !word.startsWith('-'));
  let exit = 0;
  try {
    for (const word of name === 'help' ? [asked] : [name])
      if (word !== undefined && word !== 'help' && !Object.hasOwn(COMMANDS, word)) throw unknownCommand(word, asked);
    const program = await build(argv, io, (code) => {
      exit = code;
    });
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return report(
      error instanceof CommanderError ? wrongUsage(error, name) : error,
      io,
      name,
      words.includes('--debug'),
    );
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
  return commander
    .configureHelp(HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.err(text.trimEnd()),
      outputError: () => {}, // Said where all errors are.
    });
}

/** A choice of many words would push every description to the right: they are told below it. */
const LONG_CHOICE = /<([^>]{30,})>/;
const usual = new Help();
const HELP: Pick<Help, 'optionTerm' | 'optionDescription' | 'minWidthToWrap'> = {
  // Many flags are long; text that is not wrapped at all is worse than a narrow column.
  minWidthToWrap: 20,
  optionTerm: (option) => usual.optionTerm(option).replace(LONG_CHOICE, '<word>'),
  optionDescription: (option) => {
    const words = LONG_CHOICE.exec(option.flags)?.[1]?.split('|');
    return usual.optionDescription(option) + (words ? ` One of ${words.join(', ')}.` : '');
  },
};

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
  if (command.takesAnyFlag) commander.allowUnknownOption().allowExcessArguments();
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

function unknownCommand(name: string, second: string | undefined): SlipwayError {
  const hint = commandHint(name, second, Object.keys(COMMANDS));
  return new SlipwayError('usage', `There is no command ${name}.`, hint === undefined ? {} : { hint });
}

/** `error: unknown option '--outptu'\n(Did you mean --output?)`, as all other errors are said. */
function wrongUsage({ message }: CommanderError, name: string | undefined): SlipwayError {
  const [first = '', more] = message.replace(/^error: /, '').split('\n');
  const flag = /^unknown option '([^']+)'/.exec(first)?.[1];
  const [, value, choices] = /argument '([^']*)' is invalid\. Allowed choices are (.*)\.$/.exec(first) ?? [];
  const hint =
    (flag === undefined ? undefined : flagHint(flag)) ??
    more?.replace(/^\(|\)$/g, '') ??
    (value === undefined ? undefined : choiceHint(value, choices?.split(', ') ?? [])) ??
    helpHint(name);
  return new SlipwayError('usage', `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`, { hint });
}

const helpHint = (name: string | undefined): string =>
  `See \`slipway ${name !== undefined && Object.hasOwn(COMMANDS, name) ? `${name} --help` : 'help'}\`.`;

function report(error: unknown, io: Io, name: string | undefined, isDebugged: boolean): number {
  const known = toSlipwayError(error);
  const hint = known.code === 'usage' && known.hint === known.row.hint ? helpHint(name) : known.hint;
  if (io.signal.aborted && known.code === 'cancelled') return 130;
  io.err(`error: ${known.message} [${known.code}]\nhint: ${hint}`);
  if (isDebugged || io.env['SLIPWAY_DEBUG']) io.err(inspect(known));
  else if (known.code === 'internal') io.err('Run it again with --debug to see where it happened.');
  return known.row.exit;
}
