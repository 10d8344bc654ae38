import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { allSchemas, schemaFor } from '../../schemas/json-schema.ts';
import { reference } from '../../schemas/reference.ts';
import { text, type Command } from '../command.ts';

export const command: Command = {
  summary: 'print JSON Schemas for editors and checks',
  usage: '[kind]',
  options: [
    {
      flags: '--write <folder>',
      description: 'write all schemas, and the reference of kinds and errors, into a folder',
    },
  ],
  examples: ['slipway schema server', 'slipway schema plan', 'slipway schema --write .slipway'],

  async run({ args: [kind], options, io }) {
    const folder = text(options, 'write');
    if (folder !== undefined) return write(resolve(io.cwd, folder), io.err);
    const schema = schemaFor(kind);
    if (!schema)
      throw new SlipwayError('unknown-kind', `There is no schema for ${kind}.`, {
        hint: `Schemas: ${Object.keys(allSchemas())
          .map((file) => file.replace('.json', ''))
          .join(', ')}.`,
      });
    io.out(JSON.stringify(schema, null, 2));
    return 0;
  },
};

function write(folder: string, say: (text: string) => void): number {
  mkdirSync(folder, { recursive: true });
  const files = {
    ...Object.fromEntries(
      Object.entries(allSchemas()).map(([file, schema]) => [file, `${JSON.stringify(schema, null, 2)}\n`]),
    ),
    'README.md': reference(),
  };
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  say(`wrote ${Object.keys(files).length} files to ${folder}`);
  return 0;
}
