// An MCP server with one tool that answers with a ledger: JSON of as many bytes as it is asked for.
import { createServer } from 'node:http';

const entry = (id) => ({
  id,
  account: `account ${id % 97}`,
  amount: (id * 37) % 10_000,
  tags: ['paid', 'checked'],
  note: 'x'.repeat(40),
});
const ledgers = new Map();

function ledger(bytes) {
  const known = ledgers.get(bytes);
  if (known) return known;
  const entries = [];
  for (let size = 0; size < bytes; size += JSON.stringify(entries.at(-1)).length + 1)
    entries.push(entry(entries.length));
  const text = JSON.stringify({ entries, total: entries.length });
  ledgers.set(bytes, text);
  return text;
}

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'ledger', version: '1.0.0' },
  }),
  'tools/list': () => ({ tools: [{ name: 'ledger', inputSchema: { type: 'object' } }] }),
  'tools/call': ({ arguments: { bytes } }) => ({ content: [{ type: 'text', text: ledger(bytes) }] }),
};

const server = createServer(async (request, response) => {
  const chunks = await request.toArray();
  if (request.method !== 'POST') return void response.writeHead(405).end();
  const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString());
  if (id === undefined) return void response.writeHead(202).end();
  const result = methods[method]?.(params);
  const answer = result ? { result } : { error: { code: -32601, message: 'Method not found' } };
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));
