/** Servers are looked after while agents search them, and only then. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';

const PACE = { awayMs: 50, wellMs: 100, idleMs: 400 };

/** A server elsewhere that can be away, and counts how often it is asked for its tools. */
async function elsewhere() {
  let isAway = true;
  let asked = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (isAway) return void response.writeHead(503).end();
      const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString() || '{}') as {
        id?: number;
        method?: string;
        params?: { protocolVersion?: string };
      };
      if (id === undefined) return void response.writeHead(202).end();
      if (method === 'tools/list') asked++;
      const result =
        method === 'initialize'
          ? {
              protocolVersion: params?.protocolVersion,
              capabilities: { tools: {} },
              serverInfo: { name: 'far', version: '1' },
            }
          : method === 'tools/list'
            ? { tools: [{ name: 'look', inputSchema: { type: 'object' } }] }
            : undefined;
      const answer = result ? { result } : { error: { code: -32601, message: 'Method not found' } };
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    get asked() {
      return asked;
    },
    set isAway(value: boolean) {
      isAway = value;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('what is away is there again without being called, what is well is looked at, and nothing is once nobody asks', async () => {
  await using far = await elsewhere();
  await using near = await socketUpstream('near');
  await using gateway = await start(
    snapshot({
      servers: { far: { id: 'far', transport: 'http', address: far.url }, near: near.endpoint },
      routes: {
        '/projects/lazy/mcp': {
          project: 'lazy',
          servers: ['far', 'near'],
          separator: '__',
          discovery: { mode: 'lazy' },
        },
      },
    }),
    { discoveryPace: PACE },
  );
  const { rpc } = await session(gateway.url, { path: '/projects/lazy/mcp' });
  const ask = async (name: string): Promise<string> => {
    const { result } = (await rpc('tools/call', { name, arguments: {} })).json as {
      result: { content: { text: string }[] };
    };
    return result.content[0]?.text ?? '';
  };
  const statusOf = async (name: string): Promise<unknown> =>
    (JSON.parse(await ask('list_servers')) as { servers: { name: string; status: string }[] }).servers.find(
      (server) => server.name === name,
    )?.status;
  await ask('list_commands');
  expect(await statusOf('far')).toBe('unhealthy');
  far.isAway = false;
  await eventually(async () => (await statusOf('far')) === 'healthy');
  const before = far.asked;
  await eventually(async () => (await statusOf('near')) === 'healthy' && far.asked >= before + 2);
  // Our own are left alone: a look would wake one that sleeps.
  const listed = near.seen.filter((message) => 'method' in message && message.method === 'tools/list').length;
  expect(listed).toBe(1);

  let last = -1;
  await eventually(async () => {
    const isQuiet = far.asked === last;
    last = far.asked;
    await new Promise((resolve) => setTimeout(resolve, PACE.wellMs * 3));
    return isQuiet && far.asked === last;
  });
});
