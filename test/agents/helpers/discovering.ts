/** A server of issues and code, one beside it, and routes that do not list all of their tools. */
import { principal, type Wish } from '../../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../../gateway/helpers/upstreams.ts';

export const TOOLS = [
  {
    name: 'createIssue',
    description: 'Opens an issue in a repository.\nMore lines that nobody needs.',
    inputSchema: {
      type: 'object',
      properties: { repo: { type: 'string' }, title: { type: 'string', description: 'headline of the ticket' } },
      required: ['repo'],
    },
    annotations: { destructiveHint: false },
  },
  {
    name: 'search_code',
    description: 'Searches code.',
    inputSchema: { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] },
    annotations: { readOnlyHint: true },
  },
  { name: 'delete_repo', description: 'Deletes a repository.', inputSchema: { type: 'object' } },
];

export async function codeServer(): Promise<Upstream> {
  const code = await socketUpstream('code');
  const echo = { name: 'echo', description: 'Echoes.', inputSchema: { type: 'object' } };
  code.tools.splice(0, code.tools.length, ...TOOLS, echo);
  return code;
}

export interface Servers {
  readonly code: Upstream;
  readonly tiny: Upstream;
}

export const discovering = ({ code, tiny }: Servers): Wish => ({
  servers: {
    code: {
      endpoints: [code.endpoint],
      description: 'Issues and code.',
      tags: ['git'],
      examples: [{ ask: 'open an issue' }],
    },
    tiny: { endpoints: [tiny.endpoint] },
    broken: { endpoints: [], unavailable: { code: 'start-failed', message: 'It does not start.' } },
  },
  routes: {
    '/projects/lazy/mcp': {
      project: 'lazy',
      servers: ['code', 'tiny', 'broken'],
      separator: '__',
      discovery: { mode: 'lazy', summaries: 2 },
    },
    '/projects/search/mcp': {
      project: 'search',
      servers: ['code', 'tiny'],
      separator: '__',
      discovery: { mode: 'search' },
    },
  },
  principals: [principal('ci', 'secret')],
  access: {
    servers: {
      code: {
        file: 'code.yaml',
        line: 8,
        rules: [{ pattern: 'delete_*', action: 'deny', message: 'Nobody deletes.', file: 'code.yaml', line: 9 }],
      },
    },
  },
});
