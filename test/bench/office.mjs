// An MCP server with twenty tools as real ones describe them: five things to do with each of four kinds of records.
import { createServer } from 'node:http';

const text = (description) => ({ type: 'string', description });
const RECORDS = {
  customer: 'a person or company that buys',
  invoice: 'what a customer owes',
  order: 'what a customer wants',
  product: 'what is sold',
};
const tools = Object.entries(RECORDS).flatMap(([record, meaning]) => [
  tool(
    `list_${record}s`,
    `Lists ${record}s (${meaning}), the newest first, a page at a time. Use search_${record}s if you know a part of what it says.`,
    {
      page: { type: 'integer', minimum: 1, default: 1, description: 'Which page, from 1.' },
      per_page: { type: 'integer', minimum: 1, maximum: 100, default: 30, description: 'How many on a page.' },
      status: { type: 'string', enum: ['open', 'closed', 'all'], default: 'open', description: 'Which of them.' },
    },
    [],
  ),
  tool(
    `get_${record}`,
    `Gets one ${record} with all of its fields and who changed it last.`,
    { id: text(`Number of the ${record}, such as ${record[0].toUpperCase()}-1024.`) },
    ['id'],
  ),
  tool(
    `search_${record}s`,
    `Finds ${record}s by words in any of their fields.`,
    { query: text('Words, all of which must occur.'), limit: { type: 'integer', maximum: 50, default: 10 } },
    ['query'],
  ),
  tool(
    `create_${record}`,
    `Creates a new ${record}. Fails if one with the same number is there.`,
    {
      id: text('Its number.'),
      title: text('A line about it.'),
      notes: text('Anything else, in Markdown.'),
      tags: { type: 'array', items: { type: 'string' }, description: 'Words to find it by.' },
    },
    ['id', 'title'],
  ),
  tool(
    `update_${record}`,
    `Changes fields of a ${record}; what is left out stays as it is.`,
    {
      id: text('Its number.'),
      title: text('A line about it.'),
      notes: text('Anything else, in Markdown.'),
      status: { type: 'string', enum: ['open', 'closed'] },
    },
    ['id'],
  ),
]);

function tool(name, description, properties, required) {
  return {
    name,
    description,
    inputSchema: { type: 'object', properties, required },
    annotations: { readOnlyHint: /^(list|get|search)/.test(name) },
  };
}

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'office', version: '1' },
  }),
  'tools/list': () => ({ tools }),
  'tools/call': ({ name }) => ({ content: [{ type: 'text', text: name }] }),
};

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString() || '{}');
    if (id === undefined) return response.writeHead(202).end();
    const result = answers[method]?.(params);
    const answer = result ? { result } : { error: { code: -32601, message: 'Method not found' } };
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
    response.end(bytes);
  });
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));
