/**
 * Slipway as the suite's client: a gateway of its own in front of the scenario's server, and a client that makes it do
 * everything: list, call, read, get. Where that takes a consent, it goes where it is sent, as a person's browser would.
 * The suite appends the server's URL and judges what the gateway says to it.
 */
import { randomBytes } from 'node:crypto';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { startGateway } from '../../gateway/index.ts';
import { NO_ACCESS } from '../../schemas/access.ts';
import { silent } from '../../schemas/log.ts';
import type { ServerEntry, Snapshot } from '../../schemas/snapshot.ts';

interface Tool {
  readonly name: string;
  readonly inputSchema: { readonly properties?: Record<string, unknown>; readonly required?: readonly string[] };
}

/** What the suite says about the scenario; some come with calls to make. */
const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as {
  toolCalls?: { name: string; arguments: object }[];
  /** A client that was registered by hand. */
  client_id?: string;
  client_secret?: string;
};
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? '';
/** What the config would say of the server. */
const auth: ServerEntry['auth'] = {
  type: 'oauth',
  perPrincipal: true,
  headers: [],
  // A gateway on this machine has no public address of its own to serve such a document at.
  ...(scenario === 'auth/basic-cimd' ? { clientId: 'https://conformance-test.local/client-metadata.json' } : {}),
  ...(context.client_id === undefined
    ? {}
    : { clientId: context.client_id, clientSecret: { secret: 'suite', key: 'secret', from: { env: 'none' } } }),
};
/** What a person would be asked for is given, a few times at most. */
const MAX_CONSENTS = 4;
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
  servers: {
    up: {
      endpoints: [{ id: 'up', transport: 'http', address }],
      timeoutMs: 20_000,
      ...(scenario.startsWith('auth/') ? { auth } : {}),
    },
  },
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
  secrets: () => Promise.resolve(context.client_secret ?? ''),
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
  const { tools } = await listed();
  const wanted = context.toolCalls ?? (tools as Tool[]).map((tool) => ({ name: tool.name, arguments: sample(tool) }));
  for (const call of wanted) await attempt(called(call.name, { ...call.arguments }));
  if (can.resources)
    for (const { uri } of (await client.listResources()).resources) await attempt(client.readResource({ uri }));
  if (can.prompts)
    for (const { name } of (await client.listPrompts()).prompts) await attempt(client.getPrompt({ name }));
}

/** Calls a tool, and goes where it sends a person first. */
async function called(name: string, args: Record<string, unknown>): Promise<void> {
  for (let consents = 0; consents < MAX_CONSENTS; consents++) {
    const { content, isError } = await client.callTool({ name, arguments: args });
    const [first] = content as { text?: string }[];
    const page = isError === true ? /(https?:\/\/\S+)$/.exec(first?.text ?? '')?.[1] : undefined;
    if (page === undefined) return console.error(JSON.stringify(content));
    await visit(page);
  }
}

/** Opens a page as a browser would; the suite's authorization servers consent by themselves. */
async function visit(page: string): Promise<void> {
  let url: string | URL | undefined = page;
  while (url !== undefined) {
    const answer: Response = await fetch(url, { redirect: 'manual' });
    const next = answer.headers.get('location');
    if (next === null) console.error(await answer.text());
    url = next === null ? undefined : new URL(next, url);
  }
}

/** While the server waits for a consent, its only tool is the one that asks for it. */
async function listed(): Promise<Awaited<ReturnType<typeof client.listTools>>> {
  for (let round = 0; ; round++) {
    const found = await client.listTools();
    const waits = found.tools.length === 1 && found.tools[0]?.name === 'authorize';
    if (!waits || round === MAX_CONSENTS) return found;
    await attempt(called('authorize', {}));
  }
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
