/** A server with results of all kinds, and routes on which they go through pipelines of all kinds. */
import type { PipelineEntry } from '../../../schemas/pipelines.ts';
import type { Snapshot } from '../../../schemas/snapshot.ts';
import { principal, snapshot } from '../../gateway/helpers/gateway.ts';
import type { Answering } from './answering.ts';

export const ROWS = Array.from({ length: 400 }, (_, id) => ({
  id,
  name: `customer ${id}`,
  mail: `c${id}@example.com`,
  note: 'x'.repeat(30),
}));
export const BOOK = Array.from(
  { length: 6 },
  (_, at) => `# Chapter ${at + 1}\n\n${`Words of ${at + 1}. `.repeat(300)}\n\n`,
).join('');
/** Base64, too, so that it can be bytes. */
export const TOKEN = `AKIA${'ABCD'.repeat(4)}`;
export const PICTURE = { type: 'image', data: 'aGVsbG8=', mimeType: 'image/png' };
const text = (value: string, more: object = {}) => ({ content: [{ type: 'text', text: value }], ...more });

const OBJECT = { type: 'object' };
export const TOOLS = [
  { name: 'rows' },
  { name: 'book' },
  { name: 'small' },
  { name: 'failing' },
  { name: 'mixed' },
  { name: 'leak' },
  { name: 'exact', outputSchema: { type: 'object', properties: { rows: { type: 'array' } }, required: ['rows'] } },
  { name: 'copied' },
  { name: 'strict', inputSchema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] } },
  { name: 'own', inputSchema: { type: 'object', properties: { _resultId: { type: 'string' } } } },
].map((tool) => ({ inputSchema: OBJECT, ...tool }));
export const ANSWERS = {
  rows: () => text(JSON.stringify(ROWS)),
  book: () => text(BOOK),
  small: () => text('{"small": true}'),
  failing: () => text(BOOK, { isError: true }),
  mixed: () => ({ content: [{ type: 'text', text: 'first' }, PICTURE, { type: 'text', text: BOOK }] }),
  leak: () => ({
    content: [
      { type: 'text', text: `a token: ${TOKEN}` },
      { type: 'resource', resource: { uri: 'file:///a', text: `another: ${TOKEN}, and card 4111-1111` } },
      { type: 'image', data: TOKEN, mimeType: 'image/png' },
    ],
    structuredContent: { token: TOKEN },
  }),
  exact: () => text(JSON.stringify({ rows: ROWS }), { structuredContent: { rows: ROWS } }),
  copied: () => text(JSON.stringify({ rows: ROWS }), { structuredContent: { rows: ROWS } }),
  strict: () => text(JSON.stringify(ROWS)),
  own: (args: Record<string, unknown>) => text(`its own: ${String(args['_resultId'])}`),
  guide: () => ({ messages: [{ role: 'user', content: { type: 'text', text: BOOK } }] }),
};

const SPLIT = { type: 'section-split', minSize: 2048, maxSize: 15_360 } as const;
const pipeline = (...stages: PipelineEntry['stages']): PipelineEntry => ({
  appliesTo: ['toolResult', 'prompt'],
  minBytes: 2048,
  stages,
});

export function routesTo(library: Answering): Snapshot {
  const route = (project: string, more: object) => [
    `/projects/${project}/mcp`,
    { project, servers: ['library'], separator: '__', ...more },
  ];
  return snapshot({
    servers: { library: { endpoints: [library.endpoint], validateArguments: true, pipeline: 'split' } },
    routes: Object.fromEntries([
      route('full', { pipeline: 'split' }),
      route('lazy', { pipeline: 'split', discovery: { mode: 'lazy' } }),
      route('search', { pipeline: 'split', discovery: { mode: 'search' } }),
      route('off', { pipeline: 'none' }),
      route('override', { pipeline: 'toon', overrides: { library: { pipeline: 'short' } } }),
      route('toon', { pipeline: 'toon' }),
      route('guard', { pipeline: 'guard' }),
      route('slow-guard', { pipeline: 'slow-guard' }),
      route('broken', { pipeline: 'broken' }),
    ]),
    principals: [principal('ada', 'ada'), principal('bob', 'bob')],
    pipelines: {
      split: pipeline(SPLIT),
      toon: pipeline({ type: 'toon' }),
      short: pipeline({ type: 'truncate', maxChars: 500 }),
      guard: pipeline({ type: 'redact', patterns: ['\\b4111-\\d{4}\\b'] }, { type: 'paginate', pageSize: 8000 }),
      'slow-guard': pipeline({ type: 'redact', patterns: ['([\\w .]+)+!'] }),
      broken: pipeline(
        {
          type: 'module',
          file: 'bad.mjs',
          code: 'export default () => { throw new Error("secret words") }',
          config: {},
          timeoutMs: 10_000,
          memoryBytes: 2 ** 24,
        },
        SPLIT,
      ),
    },
  });
}
