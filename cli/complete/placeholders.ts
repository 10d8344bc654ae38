/** What stands for an argument or a value in the definitions: `<kind>`, `[names...]`, `-o, --output <format>`. */
import type { Command as Commander, Option as CommanderOption } from 'commander';

export interface Placeholder {
  readonly name: string;
  readonly isMany: boolean;
}

export function placeholdersOf(command: Commander): Placeholder[] {
  return command.registeredArguments.map((argument) => ({ name: argument.name(), isMany: argument.variadic }));
}

/** `<name>` and `<names>` say less than what the option is called. */
export function placeholderOf(option: CommanderOption): string {
  const written = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? '';
  return written === 'name' || written === 'names' ? option.name() : written;
}
