/**
 * The fixture in MCP 2026-07-28 and nothing else. `fixture-modern.ts` serves it on stdio, `fixture-modern.ts --http` on a
 * port of its own, whose URL it prints.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { acceptedContent, createMcpHandler, inputRequired, ProtocolError, Server } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { promptOf, prompts, resourceOf, resources, templates } from './fixture-data.ts';
import { callModernTool, modernTools, states } from './fixture-modern-tools.ts';
import { text, toolNamed, type Changes } from './fixture-shared.ts';

const INPUT_PROMPT = { name: 'test_input_required_result_prompt', description: 'Asks for context first' };
const fresh = { ttlMs: 1_000, cacheScope: 'public' as const };

/** What is there now: it changes while the server runs. */
const world = { tool: false, prompt: false, cancelled: 0 };

/** @param tell tells those who listen; on stdio the server itself does */
function fixture(tell: (server: Server) => Omit<Changes, 'cancelled'>): Server {
  const capabilities = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    completions: {},
    logging: {},
  };
  const server = new Server(
    { name: 'conformance-fixture', version: '2.0.0' },
    { capabilities, instructions: 'Be gentle.', requestState: { verify: states.verify } },
  );
  const changes = {
    tools: () => ((world.tool = !world.tool), tell(server).tools()),
    prompts: () => ((world.prompt = !world.prompt), tell(server).prompts()),
    resource: () => tell(server).resource(),
    cancelled: () => void world.cancelled++,
  };
  const tools = () => [
    ...modernTools(),
    toolNamed('test_cancelled'),
    ...(world.tool ? [toolNamed('test_new_tool')] : []),
  ];
  server.setRequestHandler('tools/list', () => ({ ...fresh, tools: tools() }));
  server.setRequestHandler('tools/call', ({ params }, context) => {
    if (params.name === 'test_cancelled') return { content: [text(String(world.cancelled))] };
    return callModernTool({ ...params, _meta: context.mcpReq._meta ?? {} }, context, changes);
  });
  server.setRequestHandler('resources/list', () => ({ ...fresh, resources }));
  server.setRequestHandler('resources/templates/list', () => ({ ...fresh, resourceTemplates: templates }));
  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    const contents = resourceOf(uri);
    if (!contents) throw new ProtocolError(-32_602, `Resource not found: ${uri}`, { uri });
    return { ...fresh, contents: [contents] };
  });
  const more = { name: 'test_new_prompt', description: 'Comes and goes' };
  const all = () => [...prompts, INPUT_PROMPT, ...(world.prompt ? [more] : [])];
  // Two pages, however many there are.
  server.setRequestHandler('prompts/list', ({ params }) =>
    params?.cursor === 'rest'
      ? { ...fresh, prompts: all().slice(2) }
      : { ...fresh, prompts: all().slice(0, 2), nextCursor: 'rest' },
  );
  server.setRequestHandler('prompts/get', ({ params }, { mcpReq }) => {
    if (params.name === INPUT_PROMPT.name) {
      const context = acceptedContent(mcpReq.inputResponses, 'user_context')?.['context'];
      const requestedSchema = { type: 'object' as const, properties: { context: { type: 'string' as const } } };
      if (context === undefined)
        return inputRequired({
          inputRequests: { user_context: inputRequired.elicit({ message: 'Which context?', requestedSchema }) },
        });
      return { messages: [{ role: 'user', content: text(`Context: ${String(context)}`) }] };
    }
    const prompt = promptOf(params.name, params.arguments ?? {});
    if (!prompt) throw new ProtocolError(-32_602, `Unknown prompt: ${params.name}`);
    return prompt;
  });
  server.setRequestHandler('completion/complete', ({ params: { argument } }) => {
    const values = ['paris', 'park', 'party'].filter((value) => value.startsWith(argument.value));
    return { completion: { values, total: values.length, hasMore: false } };
  });
  return server;
}

function serveHttp(): void {
  const handler = createMcpHandler(
    () =>
      fixture(() => ({
        tools: () => handler.notify.toolsChanged(),
        prompts: () => handler.notify.promptsChanged(),
        resource: () => handler.notify.resourceUpdated('test://watched-resource'),
      })),
    { legacy: 'reject' },
  );
  const handle = toNodeHandler(handler);
  const name = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
  const listener = createServer((request, response) => {
    const origin = request.headers.origin?.replace(/^https?:\/\//, '');
    if (!name.test(request.headers.host ?? '') || (origin !== undefined && !name.test(origin)))
      return void response.writeHead(403).end();
    void handle(request as Parameters<typeof handle>[0], response);
  });
  listener.listen(0, '127.0.0.1', () =>
    process.stdout.write(`http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp\n`),
  );
}

if (process.argv.includes('--http')) serveHttp();
else
  serveStdio(
    () =>
      fixture((server) => ({
        tools: () => void server.sendToolListChanged(),
        prompts: () => void server.sendPromptListChanged(),
        resource: () => void server.sendResourceUpdated({ uri: 'test://watched-resource' }),
      })),
    { legacy: 'reject' },
  );
