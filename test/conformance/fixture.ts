/**
 * A server that has all that the conformance suite asks for, by the names it asks for. `fixture.ts` serves it on stdio,
 * `fixture.ts --http` and `--sse` on a port of its own, whose URL it prints.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolRequestSchema,
  CompleteRequestSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { prompts, promptOf, resources, resourceOf, templates } from './fixture-data.ts';
import { text, toolNamed } from './fixture-shared.ts';
import { callTool, elicit, tools } from './fixture-tools.ts';

const INPUT_PROMPT = { name: 'test_input_required_result_prompt', description: 'Asks for context first' };

/** What is there now: it changes while the server runs. */
const world = { tool: false, prompt: false, cancelled: 0 };

function fixture(): Server {
  const capabilities = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    completions: {},
    logging: {},
  };
  const info = { name: 'conformance-fixture', version: '1.0.0' };
  const server = new Server(info, { capabilities, instructions: 'Be gentle.' });
  const subscribed = new Set<string>();
  const changes = {
    tools: () => ((world.tool = !world.tool), void server.sendToolListChanged()),
    prompts: () => ((world.prompt = !world.prompt), void server.sendPromptListChanged()),
    resource: () => void server.sendResourceUpdated({ uri: 'test://watched-resource' }),
    cancelled: () => void world.cancelled++,
  };
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: [...tools, toolNamed('test_cancelled'), ...(world.tool ? [toolNamed('test_new_tool')] : [])],
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    params.name === 'test_cancelled'
      ? { content: [text(String(world.cancelled))] }
      : callTool(server, params, extra, changes),
  );
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources }));
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: templates }));
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const contents = resourceOf(uri);
    if (!contents) throw new McpError(-32_002, `Resource not found: ${uri}`, { uri });
    return { contents: [contents] };
  });
  server.setRequestHandler(SubscribeRequestSchema, async ({ params: { uri } }) => {
    subscribed.add(uri);
    return {};
  });
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params: { uri } }) => {
    subscribed.delete(uri);
    return {};
  });
  const all = () => [
    ...prompts,
    INPUT_PROMPT,
    ...(world.prompt ? [{ name: 'test_new_prompt', description: 'Comes and goes' }] : []),
  ];
  // Two pages, however many there are.
  server.setRequestHandler(ListPromptsRequestSchema, ({ params }) =>
    params?.cursor === 'rest' ? { prompts: all().slice(2) } : { prompts: all().slice(0, 2), nextCursor: 'rest' },
  );
  server.setRequestHandler(GetPromptRequestSchema, async ({ params }, extra) => {
    if (params.name === INPUT_PROMPT.name) {
      const [content] = await elicit(extra, 'Which context?', {
        type: 'object',
        properties: { context: { type: 'string' } },
      });
      return { messages: [{ role: 'user', content: content as ReturnType<typeof text> }] };
    }
    const prompt = promptOf(params.name, params.arguments ?? {});
    if (!prompt) throw new McpError(-32_602, `Unknown prompt: ${params.name}`);
    return prompt;
  });
  server.setRequestHandler(CompleteRequestSchema, ({ params: { argument } }) => {
    const values = ['paris', 'park', 'party'].filter((value) => value.startsWith(argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
  return server;
}

/** One server for each session, as the SDK's transport wants it. */
function serveHttp(): void {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const name = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
    const origin = request.headers.origin?.replace(/^https?:\/\//, '');
    if (!name.test(request.headers.host ?? '') || (origin !== undefined && !name.test(origin)))
      return void response.writeHead(403).end();
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? sessions.get(id) : undefined;
    if (known) return known.handleRequest(request, response);
    if (id !== undefined) return void response.writeHead(404).end();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (session) => void sessions.set(session, transport),
    });
    await fixture().connect(transport as Transport);
    await transport.handleRequest(request, response);
  };
  const listener = createServer((request, response) => void handle(request, response));
  listener.listen(0, '127.0.0.1', () =>
    process.stdout.write(`http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp\n`),
  );
}

/** The transport of 2024-11-05: one stream for what the server says, POSTs beside it. */
function serveSse(): void {
  const sessions = new Map<string, SSEServerTransport>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'http://localhost');
    if (request.method === 'POST') {
      const transport = sessions.get(url.searchParams.get('sessionId') ?? '');
      return transport ? transport.handlePostMessage(request, response) : void response.writeHead(404).end();
    }
    const transport = new SSEServerTransport('/messages', response);
    sessions.set(transport.sessionId, transport);
    response.once('close', () => sessions.delete(transport.sessionId));
    await fixture().connect(transport as Transport);
  };
  const listener = createServer((request, response) => void handle(request, response));
  listener.listen(0, '127.0.0.1', () =>
    process.stdout.write(`http://127.0.0.1:${(listener.address() as AddressInfo).port}/sse\n`),
  );
}

if (process.argv.includes('--http')) serveHttp();
else if (process.argv.includes('--sse')) serveSse();
else await fixture().connect(new StdioServerTransport());
