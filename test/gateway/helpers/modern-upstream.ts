/** A server that speaks only MCP 2026-07-28, and what it has seen. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { RpcRequest } from '../../../schemas/jsonrpc.ts';

export interface Seen {
  readonly headers: IncomingHttpHeaders;
  readonly message: RpcRequest;
}

export type Answer = (request: RpcRequest, seen: readonly Seen[]) => object | undefined;

const TOOLS = [{ name: 'echo', inputSchema: { type: 'object' } }];

/** A server by hand; `answer` says what is special about it: a result, an error, or a bare HTTP `status`. */
export async function modernServer(answer: Answer = () => undefined, tools: () => object[] = () => TOOLS) {
  const seen: Seen[] = [];
  const streams = new Set<ServerResponse>();
  let state: 'here' | 'gone' = 'here';
  const listener = createServer(async (request, response) => {
    const body = await text(request);
    if (state === 'gone' || request.method !== 'POST')
      return void response.writeHead(state === 'gone' ? 404 : 405).end();
    const message = JSON.parse(body) as RpcRequest;
    seen.push({ headers: request.headers, message });
    const { id, method, params } = message;
    const special = answer(message, seen);
    if (special && 'status' in special) return void response.writeHead(special.status as number).end();
    if (method === 'subscriptions/listen' && !special) {
      streams.add(response.on('close', () => streams.delete(response)));
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      const granted = {
        notifications: params?.['notifications'],
        _meta: { 'io.modelcontextprotocol/subscriptionId': id },
      };
      return void response.write(
        `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params: granted })}\n\n`,
      );
    }
    const usual = {
      'server/discover': {
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: { listChanged: true }, prompts: {} },
      },
      'tools/list': { tools: tools(), ttlMs: 1_000, cacheScope: 'public' },
      'tools/call': { content: [{ type: 'text', text: JSON.stringify(params) }] },
    }[method];
    const out =
      special ??
      (usual
        ? { result: { resultType: 'complete', ...usual } }
        : { error: { code: -32_601, message: 'Method not found' } });
    response.writeHead('error' in out ? 400 : 200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...out }));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/mcp`;
  return {
    seen,
    endpoint: { id: 'up', transport: 'http' as const, address },
    /** How many requests to listen stand. */
    get listeners() {
      return streams.size;
    },
    /** The resources that the last request to listen is for. */
    wished: () => {
      const last = seen.findLast(({ message }) => message.method === 'subscriptions/listen');
      const { notifications } = (last?.message.params ?? {}) as {
        notifications?: { resourceSubscriptions?: string[] };
      };
      return notifications?.resourceSubscriptions ?? [];
    },
    methods: () => seen.map(({ message }) => message.method),
    say: (message: object) =>
      streams.forEach((stream) => stream.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)),
    become: (next: typeof state) => (state = next),
    [Symbol.asyncDispose]: async () => {
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
