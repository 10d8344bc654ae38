/** A field of a kind, as `explain` prints it. */
import type { Kind } from '../../schemas/kinds/kind.ts';
import type { Child, Explained } from '../read/fields.ts';
import { indent } from './table.ts';
import { formatValue } from './value.ts';

/** About as long as lines are read with ease. */
const LINE = 100;

export function explainedText(
  kind: Kind,
  { path, type, isRequired, fields, example, by = '', oneOf = [], ...more }: Explained,
): string {
  const names = [kind.plural, ...kind.short].join(', ');
  const description = path === '' ? kind.description : more.description;
  const shapes = oneOf.map((shape) => {
    const words = shape.description === '' ? [] : [indent(indent(wrapped(shape.description)))];
    return [shape.name, ...words, ...(shape.fields.length === 0 ? [] : [indent(rowsOf(shape.fields))])].join('\n');
  });
  return [
    [
      `KIND     ${kind.kind} (${names})`,
      ...(path === '' ? [] : [`FIELD    ${path} <${type}>${isRequired ? ', required' : ''}`]),
      ...('default' in more ? [`DEFAULT  ${JSON.stringify(more.default)}`] : []),
    ].join('\n'),
    wrapped(description),
    // They are told with each shape.
    ...(fields.length === 0 || shapes.length > 0 ? [] : [`FIELDS\n${indent(rowsOf(fields))}`]),
    ...(shapes.length === 0 ? [] : [`ONE OF, by its ${by}\n${shapes.map(indent).join('\n\n')}`]),
    `EXAMPLE\n${indent(path === '' ? kind.example.trimEnd() : formatValue(example, 'yaml'))}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function rowsOf(fields: readonly Child[]): string {
  const width = Math.max(0, ...fields.map(({ name }) => name.length));
  const rows = fields.map(({ name, type, isRequired, description, ...more }) => {
    const need = isRequired ? ', required' : 'default' in more ? `, default ${JSON.stringify(more.default)}` : '';
    return `${name.padEnd(width)}  <${type}${need}>\n${description === '' ? '' : `${indent(indent(wrapped(description)))}\n`}`;
  });
  return rows.join('').trimEnd();
}

function wrapped(text: string): string {
  return text.split(/\s+/).reduce((lines, word) => {
    const last = lines.slice(lines.lastIndexOf('\n') + 1);
    return lines === '' ? word : `${lines}${last.length + word.length < LINE ? ' ' : '\n'}${word}`;
  }, '');
}
