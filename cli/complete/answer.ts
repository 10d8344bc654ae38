/** `slipway __complete <words…>`: what the scripts of shells ask for at every press of the key. */
import type { Command as Commander } from 'commander';
import { COMMANDS } from '../commands/index.ts';
import type { Io } from '../io.ts';
import { plain } from '../print/plain.ts';
import { complete, type Offering } from './complete.ts';

/**
 * Prints a line for each word, with a tab and what it is about where that is known, then one that begins with a colon: what
 * else the shell is to do (`files`, `folders`; `open` where no space may follow).
 * @param words those after the program's name, the one that is being written included
 */
export async function answer(program: Commander, words: readonly string[], io: Io): Promise<number> {
  const name = words.slice(0, -1).find((word) => Object.hasOwn(COMMANDS, word)) ?? '';
  const command = (await COMMANDS[name]?.load())?.command;
  const offering = (placeholder: string): Offering => {
    const own = (command?.words?.[placeholder] ?? []).map((word) => ({ word }));
    return async (place) => {
      // Only now: commands and flags are offered without any kind being loaded.
      const { offeringFor } = await import('./offerings.ts');
      const offers = await offeringFor(placeholder)(place);
      return { ...offers, words: [...offers.words, ...own] };
    };
  };
  const { words: offered, paths, isOpen } = await complete(program, words, offering, io);
  for (const { word, about } of offered) if (SAFE.test(word)) io.out(about ? `${word}\t${line(about)}` : word);
  io.out(`:${[paths ?? [], isOpen ? 'open' : []].flat().join(' ')}`);
  return 0;
}

/**
 * What a shell takes for nothing but itself. bash writes what it is offered into the line as it is, and names of tools are
 * made by servers, those of branches by whoever may push: `$(…)` must not be one key away from being run.
 */
const SAFE = /^[\w.,:/@%+=-]+$/;

const line = (text: string): string => plain(text.replaceAll(/\s+/g, ' '));
