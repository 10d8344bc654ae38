/** A field of a kind, as `explain` prints it. */
import type { Kind } from '../../schemas/kinds/kind.ts';
import type { Explained } from '../read/fields.ts';
import { indent } from './table.ts';
import { formatValue } from './value.ts';

/** About as long as lines are read with ease. */
const LINE = 100;

export function explainedText(kind: Kind, { path, type, isRequired, fields, example, ...more }: Explained): string {
  const names = [kind.plural, ...kind.short].join(', ');
  const description = path === '' ? kind.description : more.description;
  const width = Math.max(0, ...fields.map(({ name }) => name.length));
  const rows = fields.map((field) => {
    const need = field.isRequired ? ', required' : '';
    return `${field.name.padEnd(width)}  <${field.type}${need}>\n${field.description === '' ? '' : `${indent(indent(wrapped(field.description)))}\n`}`;
  });
  return [
    [
      `KIND     ${kind.kind} (${names})`,
      ...(path === '' ? [] : [`FIELD    ${path} <${type}>${isRequired ? ', required' : ''}`]),
      ...('default' in more ? [`DEFAULT  ${JSON.stringify(more.default)}`] : []),
    ].join('\n'),
    wrapped(description),
    ...(rows.length === 0 ? [] : [`FIELDS\n${indent(rows.join('').trimEnd())}`]),
    `EXAMPLE\n${indent(path === '' ? kind.example.trimEnd() : formatValue(example, 'yaml'))}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function wrapped(text: string): string {
  return text.split(/\s+/).reduce((lines, word) => {
    const last = lines.slice(lines.lastIndexOf('\n') + 1);
    return lines === '' ? word : `${lines}${last.length + word.length < LINE ? ' ' : '\n'}${word}`;
  }, '');
}
