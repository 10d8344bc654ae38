// The least an MCP server over HTTP can do: the yardstick for what lies in between.
import { createServer } from 'node:http';

const described = 'Does one thing, and says at some length what it needs for it and what it gives back. '.repeat(5);
const tools = Array.from({ length: Number(process.env.TOOLS ?? 0) }, (_, at) => ({
  name: `tool-${at}`,
  description: described,
  inputSchema: { type: 'object', properties: { message: { type: 'string' } } },
}));

const answers = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'echo', version: '1' },
  }),
  'tools/list': () => ({ tools: [{ name: 'echo', inputSchema: { type: 'object' } }, ...tools] }),
  'tools/call': ({ arguments: { message, size = 0 } }) => ({
    content: [{ type: 'text', text: message + 'x'.repeat(size) }],
  }),
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
