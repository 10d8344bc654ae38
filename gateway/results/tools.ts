/** The gateway's own tools where results are split: to read a section, and to find a text in all of them. */
import type { Item } from '../upstream/listing.ts';
import { mistaken, textAt, type Args, type Front, type OwnTool } from '../own/own-tool.ts';
import { numbered, type Part } from './part.ts';
import { sectionOf, withKept } from './reading.ts';

const READ = { readOnlyHint: true, openWorldHint: false };
const ID = { type: 'string', description: 'The _resultId of a table of contents.' };

/** ReDoS, and memory: what is looked for is taken as it is written, and only so much of it, and so many places are told. */
const MAX_TEXT = 100;
const MAX_MATCHES = 50;
/** What is shown on either side of a match (characters). */
const AROUND = 80;
/** Others get their turn after so much was looked through (characters). */
const TURN = 256 * 1024;

const getSection: OwnTool = {
  name: 'get_section',
  define: (): Item => ({
    name: 'get_section',
    description:
      'Reads a section of a long result. Its table of contents has the resultId and the numbers of sections.',
    inputSchema: {
      type: 'object',
      properties: {
        resultId: ID,
        section: { type: 'string', description: 'Number of the section, such as 2 or 2.3.' },
      },
      required: ['resultId'],
    },
    annotations: READ,
  }),
  async run(call, args, { view }) {
    const id = textAt(args, 'resultId', '_resultId');
    if (id === undefined) return mistaken(call, 'Name the resultId; a table of contents has it.');
    return sectionOf(call, view, id, wordAt(args, 'section', '_section'));
  },
};

const grepResult: OwnTool = {
  name: 'grep_result',
  define: (): Item => ({
    name: 'grep_result',
    description: 'Finds a text in all sections of a long result: which sections have it, and what stands around it.',
    inputSchema: {
      type: 'object',
      properties: {
        resultId: ID,
        text: { type: 'string', description: 'What to look for, as it is written: no pattern.', maxLength: MAX_TEXT },
        caseSensitive: { type: 'boolean', default: false },
        limit: { type: 'integer', minimum: 1, maximum: MAX_MATCHES, default: 20 },
      },
      required: ['resultId', 'text'],
    },
    annotations: READ,
  }),
  async run(call, args, { view }) {
    const id = textAt(args, 'resultId', '_resultId');
    const text = textAt(args, 'text', 'query', 'pattern');
    if (id === undefined || text === undefined) return mistaken(call, 'Name the resultId and the text to look for.');
    if (text.length > MAX_TEXT) return mistaken(call, `The text has more than ${MAX_TEXT} characters.`);
    const wanted = Number(args['limit'] ?? 20);
    const limit = Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, MAX_MATCHES) : 20;
    return withKept(call, view, id, ({ result }) => matchesIn(result, text, args['caseSensitive'] === true, limit));
  },
};

/** On routes where results go through a pipeline. */
export const resultTools = (view: Pick<Front['view'], 'pipelines'>): readonly OwnTool[] =>
  view.pipelines ? [getSection, grepResult] : [];

function wordAt(args: Args, ...names: readonly string[]): string {
  const value = names.map((name) => args[name]).find((one) => one !== undefined);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** @returns where it stands: sections, and what is around it; `more` where there are more than were asked for */
export async function matchesIn(result: Part, text: string, caseSensitive: boolean, limit: number): Promise<object> {
  const shape = new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`), caseSensitive ? 'g' : 'gi');
  const matches: { section: string; text: string }[] = [];
  let looked = 0;
  for (const [section, { text: own = '' }] of numbered(result)) {
    for (const { index } of own.matchAll(shape)) {
      if (matches.length === limit) return { matches, more: true };
      const around = own.slice(Math.max(0, index - AROUND), index + text.length + AROUND);
      matches.push({ section, text: around.replaceAll(/\s+/g, ' ').trim() });
    }
    looked += own.length;
    if (looked >= TURN) {
      looked = 0;
      await new Promise(setImmediate);
    }
  }
  return { matches, more: false };
}
