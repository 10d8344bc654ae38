/** Every command with all that its definition says: what the reference and the man pages are made of. */
import type { Command as Commander } from 'commander';
import { COMMANDS } from '../commands/index.ts';
import type { Command } from '../command.ts';
import { processIo } from '../io.ts';
import { build } from '../run.ts';

export interface Page {
  /** `slipway`, `slipway get`, `slipway create server`. */
  readonly name: string;
  readonly commander: Commander;
  readonly examples: readonly string[];
  /** Below another command: `slipway create server`. */
  readonly isNested: boolean;
}

/** The program itself first, then its commands in their order, each followed by those below it. */
export async function pages(): Promise<Page[]> {
  const definitions = new Map<string, Command>();
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    const { command } = await load();
    definitions.set(`slipway ${name}`, command);
    for (const [below, { make }] of Object.entries(command.commands ?? {}))
      definitions.set(`slipway ${name} ${below}`, make());
  }
  // Naming all words defines all commands.
  const words = [...definitions.keys()].flatMap((name) => name.split(' ').slice(1));
  const program = await build(words, processIo(new AbortController().signal), () => {});
  return walk(program, '').map(({ name, commander }) => ({
    name,
    commander,
    examples: definitions.get(name)?.examples ?? [],
    isNested: name.split(' ').length > 2,
  }));
}

function walk(commander: Commander, above: string): Pick<Page, 'name' | 'commander'>[] {
  const name = `${above} ${commander.name()}`.trimStart();
  return [{ name, commander }, ...commander.commands.flatMap((below) => walk(below, name))];
}
