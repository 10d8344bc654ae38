/** An MCP server without dependencies: over stdio, or, told `http`, over HTTP on $PORT. */
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

const { VERSION, DATABASE_URL, PORT } = process.env;
if (VERSION === '2' && !DATABASE_URL) throw new Error('version 2 needs DATABASE_URL');

const string = { type: 'string' };
const tools = {
  hello: {
    description: 'Says hello.',
    inputSchema: { type: 'object', properties: { name: string }, required: ['name'] },
    call: ({ name }) => `Hello, ${name}! This is version ${VERSION}.`,
  },
  fetch: {
    description: 'Tells the HTTP status of a page.',
    inputSchema: { type: 'object', properties: { url: string }, required: ['url'] },
    call: async ({ url }) => `${(await fetch(url)).status}`,
  },
};

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'hello', version: VERSION },
  }),
  ping: () => ({}),
  'tools/list': () => ({
    tools: Object.entries(tools).map(([name, { description, inputSchema }]) => ({ name, description, inputSchema })),
  }),
  'tools/call': async ({ name, arguments: args }) => {
    try {
      return { content: [{ type: 'text', text: await tools[name].call(args) }] };
    } catch (error) {
      return { isError: true, content: [{ type: 'text', text: String(error.cause ?? error) }] };
    }
  },
};

/** @returns the answer as text; nothing for a notification */
async function answer(message) {
  const { id, method, params = {} } = JSON.parse(message);
  if (id === undefined) return undefined;
  const known = methods[method];
  const body = known ? { result: await known(params) } : { error: { code: -32_601, message: `no method ${method}` } };
  return JSON.stringify({ jsonrpc: '2.0', id, ...body });
}

if (process.argv.includes('http')) {
  createServer(async (request, response) => {
    if (request.method !== 'POST') return response.writeHead(405).end();
    const reply = await answer(await text(request));
    response.writeHead(reply ? 200 : 202, { 'Content-Type': 'application/json' }).end(reply);
  }).listen(Number(PORT), '0.0.0.0');
} else {
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const reply = line.trim() && (await answer(line));
    if (reply) console.log(reply);
  });
}
