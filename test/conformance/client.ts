/**
 * Slipway as the suite's client: a gateway of its own in front of the scenario's server, and a client that makes it do
 * everything: list, call, read, get. The suite appends the server's URL and judges what the gateway says to it.
 */
import { randomBytes } from 'node:crypto';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { startGateway } from '../../gateway/index.ts';
import { NO_ACCESS } from '../../schemas/access.ts';
import { silent } from '../../schemas/log.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';

interface Tool {
  readonly name: string;
  readonly inputSchema: { readonly properties?: Record<string, unknown>; readonly required?: readonly string[] };
}

/** What the suite says about the scenario; some come with calls to make. */
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as {
  toolCalls?: { name: string; arguments: object }[];
};
const address = process.argv.at(-1) ?? '';

const snapshot: Snapshot = {
  formatVersion: 1,
  commit: 'c0ffee',
  gateway: {
    listen: '127.0.0.1:0',
    allowedHosts: [],
    allowedOrigins: [],
    maxBodyBytes: 1024 * 1024,
    sessionTtlMs: 60_000,
    providers: [],
    shutdownTimeoutMs: 1_000,
  },
  servers: { up: { endpoints: [{ id: 'up', transport: 'http', address }], timeoutMs: 20_000 } },
  routes: { '/mcp': { servers: ['up'] } },
  principals: [],
  users: [],
  groups: [],
  access: NO_ACCESS,
};

await using gateway = await startGateway({
  snapshot,
  sessionKey: randomBytes(32),
  log: silent,
  version: '0.0.0-conformance',
});
const client = new Client(
  { name: 'conformance', version: '1' },
  { capabilities: { roots: {}, sampling: {}, elicitation: {} } },
);
client.setRequestHandler('elicitation/create', ({ params }) => ({ action: 'accept', content: defaultsOf(params) }));
client.setRequestHandler('sampling/createMessage', () => ({
  role: 'assistant',
  model: 'none',
  content: { type: 'text', text: 'hello' },
}));
client.setRequestHandler('roots/list', () => ({ roots: [] }));
await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`)));
await everything();
await client.close();

async function everything(): Promise<void> {
  const can = client.getServerCapabilities() ?? {};
  const { tools } = await client.listTools();
  const wanted = context.toolCalls ?? (tools as Tool[]).map((tool) => ({ name: tool.name, arguments: sample(tool) }));
  for (const call of wanted) await attempt(client.callTool({ name: call.name, arguments: { ...call.arguments } }));
  if (can.resources)
    for (const { uri } of (await client.listResources()).resources) await attempt(client.readResource({ uri }));
  if (can.prompts)
    for (const { name } of (await client.listPrompts()).prompts) await attempt(client.getPrompt({ name }));
}

/** A call that the scenario lets fail is no failure of the client: the suite judges what it saw. */
async function attempt(call: Promise<unknown>): Promise<void> {
  await call.catch((error: unknown) => console.error(String(error)));
}

function sample({ inputSchema: { properties = {} } }: Tool): object {
  const values: Record<string, unknown> = { string: 'a', number: 1, integer: 1, boolean: true, array: [], object: {} };
  return Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [
      name,
      values[String((schema as { type?: unknown }).type)] ?? 'a',
    ]),
  );
}

function defaultsOf(params: unknown): Record<string, string | number | boolean> {
  const { properties = {} } = ((params as { requestedSchema?: object }).requestedSchema ?? {}) as {
    properties?: Record<string, { default?: string | number | boolean }>;
  };
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, schema]) =>
      schema.default === undefined ? [] : [[name, schema.default]],
    ),
  );
}
