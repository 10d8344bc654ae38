/** Splits a command line that somebody configured (`$EDITOR`) into arguments. */
import { SlipwayError } from '../schemas/errors.ts';

/**
 * As a shell splits words, and nothing else of what shells do: no variables, globs, pipes or substitution, so that a
 * setting can name a program with its arguments but run nothing beside it.
 * @throws SlipwayError usage where a quote is left open
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let index = 0; index < line.length; index++) {
    const char = line.charAt(index);
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) [quote, word] = [char, word ?? ''];
    else if (char === '\\' && quote !== "'") word = (word ?? '') + line.charAt(++index);
    else word = (word ?? '') + char;
  }
  if (quote !== '') throw new SlipwayError('usage', `A ${quote} is left open in ${line}.`);
  return word === undefined ? words : [...words, word];
}
