/** From arguments to an exit code. The one place that turns errors into words and codes. */
import { Command as Commander, CommanderError, Option as CommanderOption } from 'commander';
import { ERRORS, toSlipwayError } from '../schemas/errors.ts';
import { suggest } from '../schemas/suggest.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import type { Io } from './io.ts';

/** @returns 0 fine, 1 error, 2 changes (plan, diff), 3 blocked by a guard, 64 wrong usage */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const name = argv.find((word) => !word.startsWith('-'));
  if (name !== undefined && name !== 'help' && !(name in COMMANDS)) return unknownCommand(name, io);
  let exit = 0;
  try {
    const program = await build(argv, io, (code) => {
      exit = code;
    });
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : ERRORS.usage.exit;
    return report(error, io);
  }
}

async function build(argv: readonly string[], io: Io, onExit: (code: number) => void): Promise<Commander> {
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
  if (argv.length === 0) program.action(() => program.outputHelp());
  return program;
}

function configured(commander: Commander, io: Io): Commander {
  return commander
    .exitOverride()
    .showHelpAfterError('(see `slipway help`)')
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.err(text.trimEnd()) });
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
  for (const option of command.options ?? []) {
    const made = new CommanderOption(option.flags, option.description);
    if (option.choices) made.choices(option.choices);
    if (option.default !== undefined) made.default(option.default);
    if (option.repeated) made.argParser((value, before: readonly string[] = []) => [...before, value]);
    commander.addOption(made);
  }
  if (command.examples)
    commander.addHelpText('after', `\nExamples:\n${command.examples.map((example) => `  ${example}`).join('\n')}`);
  commander.action(async () => {
    const args = commander.processedArgs.flat().filter((argument): argument is string => typeof argument === 'string');
    onExit(await command.run({ args, options: commander.opts(), io }));
  });
}

function unknownCommand(name: string, io: Io): number {
  const nearest = suggest(name, Object.keys(COMMANDS));
  io.err(
    `slipway: there is no command ${name}${nearest ? `; did you mean ${nearest}?` : ''}\nhint: ${ERRORS.usage.hint}`,
  );
  return ERRORS.usage.exit;
}

function report(error: unknown, io: Io): number {
  const known = toSlipwayError(error);
  if (io.signal.aborted && known.code === 'cancelled') return 130;
  io.err(`error: ${known.message} [${known.code}]\nhint: ${known.hint}`);
  if (known.code === 'internal') io.err(String(known.cause instanceof Error ? known.cause.stack : known.cause));
  return known.row.exit;
}
