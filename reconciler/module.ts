/** Code of the config repo as JavaScript. Nothing of it runs here. */
import { stripTypeScriptTypes } from 'node:module';
import { Unavailable } from './secrets/unavailable.ts';

const TYPES = 'Only types that can be left out are understood: no enum, no namespace, no parameter properties.';

/**
 * Types become spaces, so lines stay what they are.
 * @param file its path: what ends in .ts may have types
 * @throws Unavailable with the line, for what cannot be read
 */
export function moduleOf(file: string, text: string): string {
  const { emitWarning } = process;
  try {
    // That it is new to Node is no news for who reads a plan.
    process.emitWarning = () => {};
    const code = stripTypeScriptTypes(text);
    if (file.endsWith('.ts') || code === text) return code;
  } catch (error) {
    const { message, stack = '' } = error as Error;
    const line = /^:(\d+)\n/.exec(stack)?.[1];
    throw new Unavailable(`${line === undefined ? '' : `line ${line}: `}${message.replace(/\.$/, '')}`, TYPES);
  } finally {
    process.emitWarning = emitWarning;
  }
  throw new Unavailable('it has types', 'Name it .ts, or leave them out.');
}
