/** What Slipway itself says to agents, and what may stand in it (Prompts that say it in other words). */
import { suggest } from '../../suggest.ts';

/** What their names begin with, and no others'. */
export const OWN_PROMPTS = 'slipway-';

/** By name: where each is said. A Prompt of that name says it in its own words; without one, Slipway's are back. */
export const OWN_TEXTS = {
  'slipway-gate': 'first in the instructions of a route with a gate',
  'slipway-gate-begun': 'at the end of what begin_session answers',
  'slipway-gate-skipped': 'at the end of what a call answers that came without begin_session',
} as const;
export type OwnText = keyof typeof OWN_TEXTS;

/**
 * What `{{…}}` stands for in them. Prompt injection: names of tools and servers, and whoever calls, are other people's words, and would be
 * read here as Slipway's own. So there are numbers, and the project's name, which the config itself gives and which is a plain word.
 */
export const TEXT_VARIABLES = {
  project: 'the project’s name; slipway for /mcp',
  tools: 'how many tools are listed once the session has begun',
  texts: 'how many Prompts the route has',
  byteBudget: 'how many bytes of them one answer brings',
} as const;
export type TextVariable = keyof typeof TEXT_VARIABLES;

const THERE_IS = Object.entries(TEXT_VARIABLES)
  .map(([name, meaning]) => `{{${name}}}, ${meaning}`)
  .join('; ');

const VARIABLE = /\{\{\s*([^{}]*?)\s*\}\}/g;

export const isOwnText = (name: string): name is OwnText => Object.hasOwn(OWN_TEXTS, name);

export const isVariable = (word: string): word is TextVariable => Object.hasOwn(TEXT_VARIABLES, word);

/** The variables that stand in a text, each once. */
export const variablesIn = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(VARIABLE)].map(([, word = '']) => word));

/** The text with what its variables stand for. What is put in is looked at no more. */
export const withVariables = (text: string, values: Readonly<Partial<Record<TextVariable, string>>>): string =>
  text.replaceAll(VARIABLE, (all, word: string) => (isVariable(word) ? (values[word] ?? all) : all));

/** Variables that there are not: a sentence, with the line of the text, and what was meant. */
export function unknownVariables(text: string): { readonly message: string; readonly hint: string }[] {
  const known = Object.keys(TEXT_VARIABLES);
  return [...text.matchAll(VARIABLE)].flatMap(([all, word = ''], at, every) => {
    if (isVariable(word) || every.findIndex(([, other]) => other === word) !== at) return [];
    const line = text.slice(0, every[at]?.index).split('\n').length;
    const nearest = suggest(word, known);
    return [
      {
        message: `There is no variable ${all.replaceAll(/\s+/g, ' ')} (line ${line} of the text).`,
        hint: nearest === undefined ? `There is: ${THERE_IS}.` : `Did you mean {{${nearest}}}?`,
      },
    ];
  });
}
