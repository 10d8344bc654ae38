/** A server of MCP 2025-11-25 over HTTP that answers as a test tells it to. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import type { RpcRequest } from '../../../schemas/jsonrpc.ts';
import type { Endpoint } from '../../../schemas/snapshot.ts';
import { opened } from '../../helpers/opened.ts';

type Answer = Record<string, unknown> | undefined;

export interface Scripted {
  readonly endpoint: Endpoint;
  /** What it was asked, in the order in which it was done with it. */
  readonly done: RpcRequest[];
}

/** @param methods what it answers, by method; nothing is a refusal: there is no such thing */
export async function scripted(
  name: string,
  capabilities: object,
  methods: Record<string, (params: Record<string, unknown>) => Answer | Promise<Answer>>,
): Promise<Scripted> {
  const done: RpcRequest[] = [];
  const listener = createServer(async (request, response) => {
    if (request.method === 'GET') return void response.writeHead(405).end();
    const message = JSON.parse(await text(request)) as RpcRequest;
    const { id, method, params = {} } = message;
    if (id === undefined) return void response.writeHead(202).end();
    const welcome = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name, version: '1' } };
    const result = method === 'initialize' ? welcome : await methods[method]?.(params);
    done.push(message);
    const code = method in methods ? -32_002 : -32_601;
    const answer = result ? { result } : { error: { code, message: `${name} has no ${method}` } };
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  });
  return { endpoint: { id: name, transport: 'http', address: `${await opened(listener)}/mcp` }, done };
}
