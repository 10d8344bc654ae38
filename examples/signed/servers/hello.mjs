// A whole MCP server without dependencies: JSON-RPC, one message per line, on stdin and stdout.
import { createInterface } from 'node:readline';

const greeting = process.env.GREETING ?? 'Hello';

const tools = [
  {
    name: 'hello',
    description: 'Greets somebody.',
    inputSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  },
];

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'hello', version: '1.0.0' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools }),
  'tools/call': ({ name, arguments: args }) => {
    if (name !== 'hello') throw { code: -32602, message: `Unknown tool: ${name}` };
    return { content: [{ type: 'text', text: `${greeting}, ${args?.name ?? 'stranger'}!` }] };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params = {} } = JSON.parse(line);
  if (id === undefined) continue; // A notification wants no answer.
  const answer = { jsonrpc: '2.0', id };
  try {
    if (!methods[method]) throw { code: -32601, message: `Method not found: ${method}` };
    answer.result = methods[method](params);
  } catch (error) {
    answer.error = { code: error.code ?? -32603, message: error.message };
  }
  console.log(JSON.stringify(answer));
}
