/** What there is to say of tools, line by line. */
import type { Said } from '../../schemas/lock/plan-words.ts';
import type { Io, Style } from '../io.ts';
import { plain } from './plain.ts';

const STYLE: Readonly<Partial<Record<Said['sign'], Style>>> = {
  '+': 'green',
  '-': 'red',
  '~': 'yellow',
  '>': 'yellow',
  '!': 'red',
};

export function toolLines(said: readonly Said[], paint: Io['paint']): string[] {
  return said.flatMap(({ sign, text, details }) => {
    const style = STYLE[sign];
    const line = `${sign.padEnd(3)} ${plain(text)}`;
    return [style ? paint(style, line) : line, ...details.map((detail) => `      ${plain(detail)}`)];
  });
}
