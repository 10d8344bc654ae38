/** MCP 2026-07-28: requests that stand for themselves, on the same URLs as sessions. */
import { expect, test } from 'vitest';
import { client, MCP_HEADERS, principal, raw, snapshot, start } from './helpers/gateway.ts';
import { ask, follow, modernClient } from './helpers/modern.ts';
import { socketUpstream } from './helpers/upstreams.ts';

const VERSION = 'io.modelcontextprotocol/protocolVersion';
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

test('the SDK v2 client discovers the route and uses all that it has; a session works beside it', async () => {
  await using one = await socketUpstream('one', { all: true });
  await using two = await socketUpstream('two', { all: true });
  await using gateway = await start({ servers: { one: one.endpoint, two: two.endpoint } });
  await using sdk = await modernClient(`${gateway.url}/mcp`);
  expect(sdk.getProtocolEra()).toBe('modern');
  expect(sdk.getServerVersion()?.name).toBe('slipway');
  expect(sdk.getServerCapabilities()).toMatchObject({
    tools: {},
    prompts: {},
    resources: { subscribe: true },
    completions: {},
  });
  const { tools } = await sdk.listTools();
  expect(tools.map(({ name }) => name)).toContain('two__who');
  expect(textOf(await sdk.callTool({ name: 'two__echo', arguments: { text: 'hi' } }))).toBe('two:hi');
  expect((await sdk.listPrompts()).prompts.map(({ name }) => name)).toContain('one__greet');
  expect((await sdk.getPrompt({ name: 'two__greet' })).description).toBe('two greet');
  expect((await sdk.readResource({ uri: 'mem://two/a' })).contents).toEqual([{ uri: 'mem://two/a', text: 'from two' }]);
  expect((await sdk.listResourceTemplates()).resourceTemplates).toHaveLength(2);
  const ref = { type: 'ref/prompt' as const, name: 'one__greet' };
  expect((await sdk.complete({ ref, argument: { name: 'a', value: '' } })).completion.values).toEqual(['one', 'greet']);
  await using old = await client(`${gateway.url}/mcp`);
  expect((await old.listTools()).tools.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
});

test('every result says what it is; lists and resources say how long they are fresh', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const serverInfo = { 'io.modelcontextprotocol/serverInfo': { name: 'slipway', version: '0.0.0-test' } };
  for (const method of [
    'server/discover',
    'tools/list',
    'prompts/list',
    'resources/list',
    'resources/templates/list',
  ]) {
    const { json, status } = await ask(gateway.url, method);
    expect([method, status, json.result]).toMatchObject([
      method,
      200,
      { resultType: 'complete', ttlMs: 0, cacheScope: 'private', _meta: serverInfo },
    ]);
  }
  const read = await ask(gateway.url, 'resources/read', { uri: 'mem://up/a' });
  expect(read.json.result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' });
  const called = await ask(gateway.url, 'tools/call', {
    name: 'up__echo',
    arguments: { text: 'x' },
    _meta: { traceparent: '00-1' },
  });
  expect(called.json.result).toMatchObject({ resultType: 'complete', _meta: { traceparent: '00-1', ...serverInfo } });
  expect(called.json.result).not.toHaveProperty('ttlMs');
  // What is the protocol's own is not for a server of another era.
  const seen = (await up.saw('tools/call')) as unknown as { params: { _meta: object } };
  expect(seen.params._meta).toEqual({ traceparent: '00-1' });
});

test('header/body mismatch: a body that says something else than its headers is refused', async () => {
  const tool = {
    name: 'query',
    inputSchema: {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        limit: { type: 'integer', 'x-mcp-header': 'Limit' },
      },
    },
  };
  await using up = await socketUpstream('up');
  up.tools.push(tool);
  await using gateway = await start({ servers: { up: up.endpoint } });
  const { url } = gateway;
  const call = { name: 'up__who', arguments: {} };
  const refused = async (
    method: string,
    params: Record<string, unknown>,
    headers: Record<string, string | undefined>,
  ) => {
    const { status, json } = await ask(url, method, params, { headers, id: 'mine' });
    expect([headers, status, json.error?.code, (json as { id?: unknown }).id]).toEqual([headers, 400, -32_020, 'mine']);
  };
  await refused('tools/call', call, { 'Mcp-Method': 'tools/list' });
  await refused('tools/call', call, { 'Mcp-Method': undefined });
  await refused('tools/call', call, { 'Mcp-Name': 'up__echo' });
  await refused('tools/call', call, { 'Mcp-Name': undefined });
  await refused('tools/call', call, { 'Mcp-Name': '=?base64?dXBfX3dobw==x?=' });
  await refused('tools/call', call, { 'MCP-Protocol-Version': '2025-11-25' });
  await refused('tools/call', call, { 'MCP-Protocol-Version': undefined });
  await refused('resources/read', { uri: 'mem://up/a' }, { 'Mcp-Name': 'mem://up/b' });
  const query = { name: 'up__query', arguments: { region: 'eu', limit: 7 } };
  await refused('tools/call', query, {});
  await refused('tools/call', query, { 'Mcp-Param-Region': 'us', 'Mcp-Param-Limit': '7' });
  await refused('tools/call', query, { 'Mcp-Param-Region': 'eu', 'Mcp-Param-Limit': '8' });
  await refused('tools/call', { ...query, arguments: {} }, { 'Mcp-Param-Region': 'eu' });
  // Numbers that another reader could take for something else.
  for (const limit of ['0x7', '07', '+7', '7e0', '7.', '7.00000000000000000001', ''])
    await refused('tools/call', query, { 'Mcp-Param-Region': 'eu', 'Mcp-Param-Limit': limit });
  const none = { ...query, arguments: { region: 'eu', limit: 0 } };
  await refused('tools/call', none, { 'Mcp-Param-Region': 'eu', 'Mcp-Param-Limit': '' });
  const inexact = { ...query, arguments: { region: 'eu', limit: 2 ** 53 } };
  await refused('tools/call', inexact, { 'Mcp-Param-Region': 'eu' });
  await refused('tools/call', inexact, { 'Mcp-Param-Region': 'eu', 'Mcp-Param-Limit': String(2 ** 53) });
  expect(up.seen.some((message) => 'method' in message && message.method === 'tools/call')).toBe(false);
  const encoded = await ask(url, 'tools/call', call, { headers: { 'Mcp-Name': '=?base64?dXBfX3dobw==?=' } });
  expect(textOf(encoded.json.result)).toBe('up');
  const right = { 'Mcp-Param-Region': '=?base64?ZXU=?=', 'Mcp-Param-Limit': '7.0' };
  // The server knows no such tool, and says so itself.
  expect((await ask(url, 'tools/call', query, { headers: right })).json.error?.message).toBe('Unknown tool: query');
});

test('what is missing, unknown or of another revision is refused as the specification says, with the id', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const { url } = gateway;
  const outcome = async (method: string, params: Record<string, unknown> = {}, headers = {}) => {
    const { status, json } = await ask(url, method, params, { headers, id: 9 });
    return [status, json.error?.code, (json as { id?: unknown }).id];
  };
  const future = { 'MCP-Protocol-Version': '2099-01-01' };
  const unknown = await raw(url, {
    method: 'POST',
    path: '/mcp',
    headers: { ...MCP_HEADERS, ...future },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 9,
      method: 'server/discover',
      params: { _meta: { [VERSION]: '2099-01-01' } },
    }),
  });
  expect([unknown.status, unknown.json]).toMatchObject([
    400,
    {
      id: 9,
      error: {
        code: -32_022,
        data: { requested: '2099-01-01', supported: expect.arrayContaining(['2026-07-28', '2025-11-25']) },
      },
    },
  ]);
  for (const _meta of [undefined, {}, { [VERSION]: '2026-07-28' }]) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'tools/list', params: { _meta } });
    const headers = { ...MCP_HEADERS, 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/list' };
    const { status, json } = await raw(url, { method: 'POST', path: '/mcp', headers, body });
    expect([_meta, status, json]).toMatchObject([_meta, 400, { id: 9, error: { code: -32_602 } }]);
  }
  expect(await outcome('no/such')).toEqual([404, -32_601, 9]);
  for (const gone of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'constructor'])
    expect([gone, await outcome(gone)]).toEqual([gone, [404, -32_601, 9]]);
  expect(await outcome('tools/call', { name: 'up__none' })).toEqual([200, -32_602, 9]);
  expect(await outcome('resources/read', { uri: 'mem://none' })).toEqual([200, -32_602, 9]);
  expect(await outcome('subscriptions/listen')).toEqual([200, -32_602, 9]);
  const log = await ask(url, 'tools/list', {}, { logLevel: 'loud' });
  expect(log.json.error).toMatchObject({ code: -32_602 });
  const get = await fetch(`${url}/mcp`, {
    headers: { accept: 'text/event-stream', 'mcp-protocol-version': '2026-07-28' },
  });
  expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
});

test('a caller may use the modern era only where they may use the route', async () => {
  await using up = await socketUpstream('up');
  const principals = [principal('ada', 'sesame', { projects: ['dev'] })];
  await using gateway = await start({ servers: { up: up.endpoint }, principals });
  expect((await ask(gateway.url, 'tools/list')).status).toBe(401);
  expect((await ask(gateway.url, 'tools/list', {}, { token: 'sesame' })).status).toBe(403);
  expect((await ask(gateway.url, 'tools/list', {}, { token: 'sesame', path: '/projects/dev/mcp' })).status).toBe(200);
});

test('progress and log messages come before the result, and logs only to who asked for them', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const log = { name: 'up__log', arguments: { levels: ['debug', 'info', 'error'] } };
  const quiet = await ask(gateway.url, 'tools/call', log);
  expect(quiet.text).not.toContain('notifications/message');
  const loud = await follow(gateway.url, 'tools/call', log, { logLevel: 'info' });
  expect(await loud.next()).toMatchObject({ method: 'notifications/message', params: { level: 'info' } });
  expect(await loud.next()).toMatchObject({ method: 'notifications/message', params: { level: 'error' } });
  expect(await loud.next()).toMatchObject({ id: 1, result: { resultType: 'complete' } });
  const all = await follow(gateway.url, 'tools/call', log, { logLevel: 'debug' });
  expect(await all.next()).toMatchObject({ params: { level: 'debug' } });
  const levels = up.seen.flatMap((message) =>
    'method' in message && message.method === 'logging/setLevel' ? [message.params?.['level']] : [],
  );
  expect(levels).toEqual(['info', 'debug']);
  const progress = await follow(gateway.url, 'tools/call', { name: 'up__progress', _meta: { progressToken: 'p' } });
  for (const step of [1, 2, 3])
    expect(await progress.next()).toMatchObject({
      method: 'notifications/progress',
      params: { progressToken: 'p', progress: step },
    });
  expect(await progress.next()).toMatchObject({ result: { content: [{ text: 'done' }] } });
});

test('closing the response cancels the call', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start({ servers: { up: up.endpoint } });
  const stop = new AbortController();
  await using sdk = await modernClient(`${gateway.url}/mcp`);
  const call = sdk.callTool({ name: 'up__hang', arguments: {} }, { signal: stop.signal });
  await up.saw('tools/call');
  stop.abort();
  await expect(call).rejects.toThrow();
  await up.saw('notifications/cancelled');
});

test('listening: what was granted comes first, then only what was asked for, under the id of the request', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const { url } = gateway;
  await ask(url, 'tools/list');
  await ask(url, 'prompts/list');
  const uris = ['mem://up/a', 'mem://up/b'];
  const stream = await follow(
    url,
    'subscriptions/listen',
    { notifications: { toolsListChanged: true, resourceSubscriptions: uris } },
    { id: 's1' },
  );
  const _meta = { [SUBSCRIPTION]: 's1' };
  expect(await stream.next()).toEqual({
    jsonrpc: '2.0',
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications: { toolsListChanged: true, resourceSubscriptions: uris }, _meta },
  });
  up.prompts.push({ name: 'new' });
  up.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
  up.say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'error', data: 'not for listeners' } });
  up.say({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'mem://up/c' } });
  up.say({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'mem://up/b' } });
  expect(await stream.next()).toMatchObject({
    method: 'notifications/resources/updated',
    params: { uri: 'mem://up/b', _meta },
  });
  up.tools.push({ name: 'new' });
  up.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  expect(await stream.next()).toMatchObject({ method: 'notifications/tools/list_changed', params: { _meta } });
  stream.close();
  await up.saw('resources/unsubscribe');
});

test('a shutdown ends a stream in good order; a swap tells those who listen', async () => {
  await using up = await socketUpstream('up');
  const gateway = await start({ servers: { up: up.endpoint } });
  const stream = await follow(gateway.url, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  await stream.next();
  await gateway.swap(snapshot({ servers: {} }));
  expect(await stream.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  const last = stream.next();
  await gateway[Symbol.asyncDispose]();
  expect(await last).toEqual({
    jsonrpc: '2.0',
    id: 1,
    result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: 1 } },
  });
});
