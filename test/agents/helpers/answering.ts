/** A remote server that answers with whatever a test gives it, and remembers what it was asked. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Endpoint } from '../../../schemas/snapshot.ts';

type Params = Record<string, unknown> & {
  name?: string;
  arguments?: Record<string, unknown>;
  protocolVersion?: string;
};

/** What a tool `refusing` says; it has the shape of a secret. */
const REFUSED = `AKIA${'ABCD'.repeat(4)}`;

export interface Answering extends AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Names of what was called, and what prompts were asked for. */
  readonly calls: string[];
}

/** @param tools as they are listed @param answers by name: results of tools and prompts; by method: those of `resources/…` */
export async function answering(
  name: string,
  tools: readonly { name: string; [field: string]: unknown }[],
  answers: Readonly<Record<string, (args: Record<string, unknown>) => object>>,
): Promise<Answering> {
  const calls: string[] = [];
  const prompts = Object.keys(answers).filter((one) => !one.includes('/') && !tools.some((tool) => tool.name === one));
  const resources = answers['resources/list'] ? { resources: {} } : {};
  const answerTo = (method: string, params: Params): object | undefined => {
    if (method === 'tasks/result') return answers[String(params['taskId']).slice('task of '.length)]?.({});
    if (method === 'initialize')
      return {
        protocolVersion: params.protocolVersion,
        capabilities: { ...resources, tools: {}, prompts: {}, tasks: { requests: { tools: { call: {} } } } },
        serverInfo: { name, version: '1.0.0' },
      };
    if (method === 'tools/list') return { tools: tools.map((tool) => ({ inputSchema: { type: 'object' }, ...tool })) };
    if (method === 'prompts/list') return { prompts: prompts.map((one) => ({ name: one })) };
    if (method.startsWith('resources/')) return answers[method]?.(params);
    if (method !== 'tools/call' && method !== 'prompts/get') return undefined;
    calls.push(params.name ?? '');
    if (params['task']) return { task: { taskId: `task of ${params.name ?? ''}`, status: 'completed' } };
    return answers[params.name ?? '']?.(params.arguments ?? {});
  };
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const { id, method, params = {} } = (await json(request)) as { id?: number; method: string; params?: Params };
    if (id === undefined) return void response.writeHead(202).end();
    const result = answerTo(method, params);
    const error = { code: -32601, message: params.name === 'refusing' ? `no ${REFUSED}` : 'Method not found' };
    const answer = result ? { result } : { error };
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return {
    endpoint: { id: name, transport: 'http', address },
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
