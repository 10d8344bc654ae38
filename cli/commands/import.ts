import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Command } from '../command.ts';
import { Drafts } from '../import/draft.ts';
import { FORMATS, readRoot } from '../import/formats.ts';
import { printRemarks } from '../print/remarks.ts';

/** Nobody writes as much by hand. */
const MAX_BYTES = 4 * 1024 * 1024;

export const command: Command = {
  summary: 'turn what other programs keep about MCP servers into YAML',
  usage: '<file>',
  examples: [
    'slipway import .mcp.json > servers.yaml',
    'slipway import ~/.config/lazy-mcp/servers.json',
    'slipway import ../compose.yaml > servers.yaml && slipway validate',
  ],

  async run({ args: [file = ''], io }) {
    const root = readRoot(file, read(resolve(io.cwd, file)));
    const format = FORMATS.find((candidate) => candidate.fits(root));
    if (!format)
      throw new SlipwayError('invalid-value', `${file} is nothing that can be imported.`, {
        hint: `Known: ${FORMATS.map(({ title }) => title).join(', ')}.`,
      });
    const drafts = new Drafts();
    format.convert(root, drafts);
    const documents = drafts.documents();
    if (documents.length > 0) io.out(documents.join('---\n').trimEnd());
    io.err(`Read as the config of ${format.title}: ${documents.length} resources.`);
    printRemarks(drafts.remarks, io);
    return 0;
  },
};

function read(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new SlipwayError('path-not-found', `${path} cannot be read: ${(error as NodeJS.ErrnoException).code}.`, {
      hint: 'Name a file that is there and may be read.',
    });
  }
  if (bytes.length > MAX_BYTES) throw new SlipwayError('invalid-value', `${path} is too large for a config.`);
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}
