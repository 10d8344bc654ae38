/** Servers that speak only MCP 2026-07-28: what the gateway says to them, and what it makes of their answers. */
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import { client, MCP_HEADERS, principal, raw, session, start } from './helpers/gateway.ts';
import { modernServer } from './helpers/modern-upstream.ts';
import { ask } from './helpers/modern.ts';

const echoed = (result: unknown): Record<string, unknown> =>
  JSON.parse((result as { content: { text: string }[] }).content[0]?.text ?? '') as Record<string, unknown>;

test('it is asked once what it speaks, and never by a call', async () => {
  await using up = await modernServer();
  await using gateway = await start({ servers: { up: up.endpoint } });
  await using sdk = await client(`${gateway.url}/mcp`);
  for (let n = 0; n < 3; n++) await sdk.callTool({ name: 'up__echo', arguments: {} });
  await ask(gateway.url, 'tools/call', { name: 'up__echo', arguments: {} });
  expect(gateway.era('up')).toBe('modern');
  expect(up.methods().filter((method) => method === 'server/discover')).toHaveLength(1);
  expect(up.methods()).not.toContain('initialize');
});

test('every request says who asks: the client with what it can do, and never its token', async () => {
  await using up = await modernServer();
  await using gateway = await start({ servers: { up: up.endpoint }, principals: [principal('ada', 'sesame')] });
  const params = { name: 'up__echo', arguments: { a: 1 }, _meta: { traceparent: '00-1' } };
  await ask(gateway.url, 'tools/call', params, {
    token: 'sesame',
    capabilities: { sampling: {}, extensions: { 'a.b/c': {} } },
  });
  const legacy = await session(gateway.url, { token: 'sesame', capabilities: { elicitation: {} } });
  await legacy.rpc('tools/call', params);
  const calls = up.seen.filter(({ message }) => message.method === 'tools/call');
  expect(
    calls.map(({ headers }) => [headers['mcp-protocol-version'], headers['mcp-method'], headers['mcp-name']]),
  ).toEqual([
    ['2026-07-28', 'tools/call', 'echo'],
    ['2026-07-28', 'tools/call', 'echo'],
  ]);
  expect(calls.map(({ message }) => message.params)).toEqual([
    {
      name: 'echo',
      arguments: { a: 1 },
      _meta: {
        traceparent: '00-1',
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': { sampling: {}, extensions: { 'a.b/c': {} } },
      },
    },
    {
      name: 'echo',
      arguments: { a: 1 },
      _meta: {
        traceparent: '00-1',
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'slipway', version: '0.0.0-test' },
        'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
      },
    },
  ]);
  expect(JSON.stringify(up.seen)).not.toContain('sesame');
});

test('what a server gives a client to keep comes back to that server, sealed on the way', async () => {
  const up = await modernServer(({ method, params }) =>
    method === 'tools/call' && params?.['requestState'] === undefined
      ? {
          result: {
            resultType: 'input_required',
            requestState: 'own words',
            inputRequests: { who: { method: 'roots/list', params: {} } },
          },
        }
      : undefined,
  );
  await using _ = up;
  await using gateway = await start({
    servers: { up: up.endpoint },
    principals: [principal('ada', 'sesame'), principal('eve', 'thief')],
  });
  const by = { token: 'sesame', capabilities: { roots: {} } };
  const call = { name: 'up__echo', arguments: {} };
  const { json } = await ask(gateway.url, 'tools/call', call, by);
  const { requestState, inputRequests } = json.result as { requestState: string; inputRequests: object };
  expect(inputRequests).toEqual({ who: { method: 'roots/list', params: {} } });
  expect(requestState).not.toContain('own words');
  const back = { ...call, requestState, inputResponses: { who: { roots: [] } } };
  // Another principal's handle: the server sees one caller only, so it could not tell.
  expect((await ask(gateway.url, 'tools/call', back, { ...by, token: 'thief' })).json.error?.code).toBe(-32_602);
  const done = await ask(gateway.url, 'tools/call', back, by);
  expect(echoed(done.json.result)).toMatchObject({
    name: 'echo',
    requestState: 'own words',
    inputResponses: { who: { roots: [] } },
  });
});

test('an old client is asked for a visit to a web page as it knows it: by a name of its own', async () => {
  await using up = await modernServer(({ method, params }) =>
    method === 'tools/call' && params?.['inputResponses'] === undefined
      ? {
          result: {
            resultType: 'input_required',
            inputRequests: {
              go: { method: 'elicitation/create', params: { mode: 'url', message: 'Go', url: 'https://example.com' } },
            },
          },
        }
      : undefined,
  );
  await using gateway = await start({ servers: { up: up.endpoint } });
  await using sdk = await client(`${gateway.url}/mcp`, undefined, { elicitation: { url: {} } });
  let asked: object = {};
  sdk.setRequestHandler(ElicitRequestSchema, ({ params }) => ((asked = params), { action: 'accept' }));
  const result = await sdk.callTool({ name: 'up__echo', arguments: {} });
  expect(asked).toMatchObject({ mode: 'url', url: 'https://example.com', elicitationId: expect.any(String) });
  expect(echoed(result)).toMatchObject({ inputResponses: { go: { action: 'accept' } } });
});

test('a list that is older than promised is fetched again behind whoever asks for it', async () => {
  let tool = 'before';
  const tools = () => [{ name: tool, inputSchema: { type: 'object' } }];
  await using up = await modernServer(
    ({ method }) =>
      method === 'server/discover'
        ? { result: { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } } }
        : undefined,
    tools,
  );
  await using gateway = await start({ servers: { up: up.endpoint } });
  const names = async () =>
    ((await ask(gateway.url, 'tools/list')).json.result as { tools: { name: string }[] }).tools.map(({ name }) => name);
  expect(await names()).toEqual(['up__before']);
  tool = 'after';
  await expect.poll(names, { timeout: 20_000 }).toEqual(['up__after']);
});

test('a server that asks without end is cut off', async () => {
  await using up = await modernServer(({ method }) =>
    method === 'tools/call' ? { result: { resultType: 'input_required', requestState: 'again' } } : undefined,
  );
  await using gateway = await start({ servers: { up: up.endpoint } });
  const { json } = await (await session(gateway.url)).rpc('tools/call', { name: 'up__echo' });
  expect(json.error?.message).toBe('The server asks for more without end');
});

test('arguments that a tool marks are repeated in headers; when the marks change, the tool is looked at again', async () => {
  let mark = 'Region';
  const tools = () => [
    {
      name: 'query',
      inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': mark } } },
    },
    { name: 'broken', inputSchema: { type: 'object', properties: { a: { type: 'number', 'x-mcp-header': 'A' } } } },
  ];
  await using up = await modernServer(({ method }, seen) => {
    const said = seen.at(-1)?.headers[`mcp-param-${mark.toLowerCase()}`];
    const wrong = method === 'tools/call' && said !== '=?base64?w6Q=?=';
    return wrong ? { error: { code: -32_020, message: 'Header mismatch' } } : undefined;
  }, tools);
  await using gateway = await start({ servers: { up: up.endpoint } });
  await using sdk = await client(`${gateway.url}/mcp`);
  // Header injection: a tool that breaks the rules is not used over HTTP.
  expect((await sdk.listTools()).tools.map(({ name }) => name)).toEqual(['up__query']);
  const call = () => sdk.callTool({ name: 'up__query', arguments: { region: 'ä' } });
  expect(echoed(await call())).toMatchObject({ arguments: { region: 'ä' } });
  mark = 'Zone';
  expect(echoed(await call())).toMatchObject({ arguments: { region: 'ä' } });
  expect(up.methods().filter((method) => method === 'tools/list')).toHaveLength(2);
});

test('protocol errors between gateway and server are not the client’s, but a missing capability is', async () => {
  let code = -32_022;
  await using up = await modernServer(({ method }) =>
    method === 'tools/call'
      ? { error: { code, message: 'no', data: { requiredCapabilities: { sampling: {} } } } }
      : undefined,
  );
  await using gateway = await start({ servers: { up: up.endpoint } });
  const refused = async () => {
    const { status, json } = await ask(gateway.url, 'tools/call', { name: 'up__echo' });
    return [status, json.error?.code];
  };
  expect(await refused()).toEqual([200, -32_603]);
  code = -32_021;
  expect(await refused()).toEqual([400, -32_021]);
});

test('it may change what it speaks: the next connection finds out', async () => {
  await using up = await modernServer();
  await using gateway = await start({ servers: { up: up.endpoint } });
  const call = () => ask(gateway.url, 'tools/call', { name: 'up__echo', arguments: {} });
  await call();
  up.become('gone');
  expect((await call()).json.error).toMatchObject({ code: -32_603, data: { error_code: 'upstream-unavailable' } });
  up.become('here');
  expect((await call()).json.result).toBeDefined();
  expect(up.methods().filter((method) => method === 'server/discover')).toHaveLength(2);
});

test('a list is as fresh as its server says', async () => {
  await using up = await modernServer();
  await using gateway = await start({ servers: { up: up.endpoint } });
  const { json } = await ask(gateway.url, 'tools/list');
  const { ttlMs, cacheScope } = json.result as { ttlMs: number; cacheScope: string };
  expect(ttlMs).toBeGreaterThan(0);
  expect(ttlMs).toBeLessThanOrEqual(1_000);
  // Cross-client leak: what a route lists is for those who may use the route.
  expect(cacheScope).toBe('private');
});

test('tasks, an extension now, pass through where both sides have them and one server is meant', async () => {
  const TASKS = 'io.modelcontextprotocol/tasks';
  const capabilities = { tools: {}, extensions: { [TASKS]: {} } };
  await using up = await modernServer(({ method, params }) => {
    if (method === 'server/discover') return { result: { supportedVersions: ['2026-07-28'], capabilities } };
    if (method === 'tools/call') return { result: { resultType: 'task', taskId: 't1', status: 'working' } };
    if (method === 'tasks/get')
      return { result: { resultType: 'complete', taskId: params?.['taskId'], status: 'completed' } };
    return undefined;
  });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const by = { path: '/servers/up/mcp', capabilities: { extensions: { [TASKS]: {} } } };
  expect((await ask(gateway.url, 'server/discover', {}, by)).json.result).toMatchObject({ capabilities });
  const created = await ask(gateway.url, 'tools/call', { name: 'echo', arguments: {} }, by);
  expect(created.json.result).toMatchObject({
    resultType: 'task',
    taskId: expect.stringMatching(/\.up\.[\w-]{8}\.t1$/),
  });
  const taskId = created.json.result?.['taskId'];
  const got = await ask(gateway.url, 'tasks/get', { taskId }, by);
  expect(got.json.result).toMatchObject({ resultType: 'complete', taskId, status: 'completed' });
  // The tasks of 2025-11-25 are something else.
  const legacy = await session(gateway.url, { path: '/servers/up/mcp' });
  const old = await raw(gateway.url, {
    method: 'POST',
    path: '/servers/up/mcp',
    headers: { ...MCP_HEADERS, 'Mcp-Session-Id': legacy.id },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { taskId: 't1' } }),
  });
  expect(old.json.error?.code).toBe(-32_601);
});
