/** What a shell offers for a half-written command line: read with the definitions that would run it. */
import type { Command as Commander, Option as CommanderOption } from 'commander';
import type { Options } from '../command.ts';
import type { Io } from '../io.ts';
import { placeholderOf, placeholdersOf } from './placeholders.ts';

export interface Offer {
  readonly word: string;
  readonly about?: string;
}

export interface Offers {
  readonly words: readonly Offer[];
  /** What the shell knows best. */
  readonly paths?: 'files' | 'folders';
  /** What is offered is only the beginning of a word: `replicas=`. */
  readonly isOpen?: boolean;
}

export const NOTHING: Offers = { words: [] };

/** What is known where something is to be offered. */
export interface Place {
  /** The command with those above it: `token`, `create server`. */
  readonly command: string;
  /** Arguments before it. */
  readonly operands: readonly string[];
  readonly options: Options;
  /** Long names of the options that the command has. */
  readonly has: (option: string) => boolean;
  /** What is written of the word itself. */
  readonly current: string;
  /** Whether more of the same may follow. */
  readonly isMany: boolean;
  readonly io: Io;
}

export type Offering = (place: Place) => Promise<Offers> | Offers;

/** A command line as far as it is written, its last word left out. */
interface Line {
  readonly command: Commander;
  readonly operands: readonly string[];
  readonly options: Options;
  /** The option whose value comes next. */
  readonly awaiting: CommanderOption | undefined;
  /** `--` was given: nothing is an option any more. */
  readonly ended: boolean;
}

/**
 * @param words all words but the program's name; the last is the one that is being written
 * @param offering what to offer for an argument, or for an option's value, by what its placeholder says
 */
export async function complete(
  program: Commander,
  words: readonly string[],
  offering: (placeholder: string) => Offering,
  io: Io,
): Promise<Offers> {
  const current = words.at(-1) ?? '';
  const line = readLine(program, words.slice(0, -1));
  const place: Place = {
    command: pathOf(line.command),
    operands: line.operands,
    options: line.options,
    has: (option) => optionsOf(line.command).some(({ long }) => long === `--${option}`),
    current,
    isMany: false,
    io,
  };
  const { words: all, ...more } = await ofPlace(line, place, offering);
  const fitting = all.filter(({ word }) => word.startsWith(current));
  return { ...more, words: [...new Map(fitting.map((offer) => [offer.word, offer])).values()] };
}

async function ofPlace(line: Line, place: Place, offering: (placeholder: string) => Offering): Promise<Offers> {
  const { current } = place;
  const ofOption = async (option: CommanderOption, written: string): Promise<Offers> => {
    if (option.argChoices) return { words: option.argChoices.map((word) => ({ word })) };
    return offering(placeholderOf(option))({ ...place, current: written });
  };
  if (line.awaiting) return ofOption(line.awaiting, current);
  const [, flag = '', value] = /^(--[^=]+)=(.*)$/s.exec(line.ended ? '' : current) ?? [];
  if (value !== undefined) {
    const option = optionsOf(line.command).find(({ long }) => long === flag);
    return option ? prefixed(`${flag}=`, await ofOption(option, value)) : NOTHING;
  }
  if (current.startsWith('-') && !line.ended) return { words: flagsOf(line) };
  const below = line.operands.length === 0 ? commandsOf(line.command) : [];
  const { words, ...more } = await ofArgument(line, place, offering);
  return { ...more, words: [...below, ...words] };
}

async function ofArgument(line: Line, place: Place, offering: (placeholder: string) => Offering): Promise<Offers> {
  const placeholders = placeholdersOf(line.command);
  const last = placeholders.at(-1);
  // `server/github` is a kind and a name in one word.
  const isPair = placeholders[0]?.name === 'kind' && placeholders[1]?.isMany === false && isAddress(line.operands[0]);
  const next = placeholders[line.operands.length + (isPair ? 1 : 0)] ?? (last?.isMany ? last : undefined);
  if (!next) return line.operands[0] === 'help' ? { words: commandsOf(line.command) } : NOTHING;
  const isMany = placeholders.some((placeholder) => placeholder.isMany);
  const offers = await offering(next.name)({ ...place, isMany });
  // Nobody names the same thing twice.
  return { ...offers, words: offers.words.filter(({ word }) => !place.operands.slice(1).includes(word)) };
}

export const isAddress = (word: string | undefined): boolean => word?.includes('/') === true;

/** As commander would read it, but nothing that is missing or wrong stops it. */
function readLine(program: Commander, words: readonly string[]): Line {
  let command = program;
  let awaiting: CommanderOption | undefined;
  let ended = false;
  const operands: string[] = [];
  const options: Record<string, string | boolean> = {};
  const set = (option: CommanderOption, value: string | boolean): void => {
    options[option.attributeName()] = value;
  };
  for (const word of words) {
    if (awaiting) {
      set(awaiting, word);
      awaiting = undefined;
    } else if (ended || !/^-./.test(word)) {
      const below = operands.length === 0 ? command.commands.find((one) => isCalled(one, word)) : undefined;
      if (below) command = below;
      else operands.push(word);
    } else if (word === '--') ended = true;
    else {
      const { option, value } = flagIn(word, command);
      if (option?.required && value === undefined) awaiting = option;
      else if (option) set(option, value ?? !option.negate);
    }
  }
  return { command, operands, options, awaiting, ended };
}

/** `--flag`, `--flag=value`, `-f`, `-fvalue`. */
function flagIn(
  word: string,
  command: Commander,
): { option?: CommanderOption | undefined; value?: string | undefined } {
  const isLong = word.startsWith('--');
  const [flag = '', ...rest] = isLong ? word.split('=') : [word.slice(0, 2), word.slice(2)];
  const option = optionsOf(command).find(({ long, short }) => (isLong ? long : short) === flag);
  const value = isLong ? rest.join('=') : (rest[0] ?? '');
  return { option, value: (isLong ? rest.length > 0 : value !== '') ? value : undefined };
}

const isCalled = (command: Commander, word: string): boolean =>
  command.name() === word || command.aliases().includes(word);

function pathOf(command: Commander): string {
  if (command.parent === null) return '';
  return `${pathOf(command.parent)} ${command.name()}`.trimStart();
}

/** Its own, and those of all commands above it. */
function optionsOf(command: Commander | null): readonly CommanderOption[] {
  return command ? [...command.options, ...optionsOf(command.parent)] : [];
}

/** What can still be said: an option with one value is not offered twice. */
function flagsOf({ command, options }: Line): Offer[] {
  const open = optionsOf(command).filter(
    (option) => !option.hidden && (options[option.attributeName()] === undefined || option.parseArg !== undefined),
  );
  const flags = open.map(({ long, short, description }) => ({ word: long ?? short ?? '', about: description }));
  return [...flags, { word: '--help', about: 'show help' }];
}

function commandsOf(command: Commander): Offer[] {
  const below = command.commands.map((one) => ({ word: one.name(), about: one.summary() }));
  return command.parent === null ? [...below, { word: 'help', about: 'show help' }] : below;
}

export const prefixed = (prefix: string, offers: Offers): Offers => ({
  ...offers,
  words: offers.words.map((offer) => ({ ...offer, word: prefix + offer.word })),
});
