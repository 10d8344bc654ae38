import { expect, test } from 'vitest';
import { client, session, snapshot, start } from './helpers/gateway.ts';
import { httpUpstream, socketUpstream } from './helpers/upstreams.ts';

const words = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

test('an SDK client lists and calls tools over HTTP and over a unix socket, behind one route', async () => {
  await using web = await httpUpstream('web');
  await using local = await socketUpstream('local');
  await using gateway = await start({ servers: { web: web.endpoint, local: local.endpoint } });
  await using sdk = await client(`${gateway.url}/mcp`);
  const { tools } = await sdk.listTools();
  expect(tools.map((tool) => tool.name)).toEqual(
    ['web', 'local'].flatMap((server) =>
      ['echo', 'slow', 'progress', 'fail', 'hang', 'who'].map((tool) => `${server}__${tool}`),
    ),
  );
  expect(words(await sdk.callTool({ name: 'web__echo', arguments: { text: 'hi' } }))).toBe('web:hi');
  expect(words(await sdk.callTool({ name: 'local__echo', arguments: { text: 'ünï' } }))).toBe('local:ünï');
  expect([web.opened, local.opened]).toEqual([1, 1]);
});

test("a server's own route keeps its tools' names, and everything else in them", async () => {
  await using local = await socketUpstream('local');
  await using gateway = await start({ servers: { local: local.endpoint } });
  const raw = await session(gateway.url, { path: '/servers/local/mcp' });
  const { json } = await raw.rpc('tools/list');
  expect(json.result).toEqual({ tools: local.tools });
});

test('listing from a snapshot that knows the tools wakes nobody', async () => {
  await using local = await socketUpstream('local');
  const tools = [{ name: 'echo', inputSchema: { type: 'object' } }];
  const known = { endpoints: [local.endpoint], tools, capabilities: { tools: {} } };
  await using gateway = await start({ servers: { local: known } });
  const raw = await session(gateway.url);
  expect((await raw.rpc('tools/list')).json.result).toEqual({ tools: [{ ...tools[0], name: 'local__echo' }] });
  expect(local.opened).toBe(0);
  expect((await raw.rpc('tools/call', { name: 'local__echo', arguments: { text: 'x' } })).status).toBe(200);
  expect(local.opened).toBe(1);
});

for (const stream of [false, true])
  test(`an upstream's error and its _meta pass through untouched (${stream ? 'events' : 'JSON'})`, async () => {
    await using web = await httpUpstream('web', { stream });
    await using gateway = await start({ servers: { web: web.endpoint } });
    const raw = await session(gateway.url);
    const failed = await raw.rpc('tools/call', { name: 'web__fail' });
    expect(failed.json.error).toEqual({ code: -32050, message: 'no', data: { why: 1 } });
    const meta = { traceparent: '00-abc-def-01', own: { deep: [1] } };
    const echoed = await raw.rpc('tools/call', { name: 'web__echo', arguments: { text: 't' }, _meta: meta });
    expect(echoed.json.result?.['_meta']).toEqual(meta);
  });

for (const kind of ['socket', 'http'] as const)
  test(`progress arrives before the result, under the client's own token (${kind})`, async () => {
    await using upstream = await (kind === 'socket' ? socketUpstream('up') : httpUpstream('up', { stream: true }));
    await using gateway = await start({ servers: { up: upstream.endpoint } });
    const raw = await session(gateway.url);
    const { text, headers } = await raw.rpc(
      'tools/call',
      { name: 'up__progress', _meta: { progressToken: 'mine' } },
      'x',
    );
    expect(headers['content-type']).toBe('text/event-stream');
    const events = [...text.matchAll(/^data: (.+)$/gm)].map(
      (match) => JSON.parse(String(match[1])) as Record<string, unknown>,
    );
    expect(events.map((event) => event['method'] ?? event['id'])).toEqual([
      ...Array<string>(3).fill('notifications/progress'),
      'x',
    ]);
    expect(events[1]?.['params']).toEqual({ progressToken: 'mine', progress: 2, total: 3 });
  });

test('an unknown tool, an unknown cursor and an unknown method are named as such', async () => {
  await using local = await socketUpstream('local');
  await using gateway = await start({ servers: { local: local.endpoint } });
  const raw = await session(gateway.url);
  expect((await raw.rpc('tools/call', { name: 'local__nope' })).json.error).toMatchObject({
    code: -32602,
    message: 'Unknown tool: local__nope',
  });
  expect((await raw.rpc('tools/call', { name: 'nobody__echo' })).json.error?.code).toBe(-32602);
  expect((await raw.rpc('tools/list', { cursor: 'x' })).json.error?.code).toBe(-32602);
  for (const method of ['resources/list', 'constructor', '__proto__'])
    expect((await raw.rpc(method)).json.error?.code).toBe(-32601);
  expect((await raw.rpc('ping')).json.result).toEqual({});
});

test('a tool that appeared since the list was made is found', async () => {
  await using local = await socketUpstream('local');
  const known = { endpoints: [local.endpoint], tools: [{ name: 'echo' }] };
  await using gateway = await start({ servers: { local: known } });
  const raw = await session(gateway.url);
  expect((await raw.rpc('tools/call', { name: 'local__who' })).json.result).toEqual({
    content: [{ type: 'text', text: 'local' }],
  });
});

test('one bad upstream does not hide the others, and is named', async () => {
  await using local = await socketUpstream('local');
  const nobody = { id: 'gone', transport: 'stdio', address: 'unix:/nonexistent/x.sock' } as const;
  await using gateway = await start({
    servers: {
      gone: nobody,
      stopped: { unavailable: { code: 'crash-loop', message: 'It keeps crashing.' } },
      local: local.endpoint,
    },
  });
  const raw = await session(gateway.url);
  const { result } = (await raw.rpc('tools/list')).json;
  expect(result?.['tools']).toEqual(local.tools.map((tool) => ({ ...tool, name: `local__${tool.name}` })));
  expect(result?.['_meta']).toEqual({
    'slipway/unavailable': { gone: 'gone: Nothing listens on its socket.', stopped: 'It keeps crashing.' },
  });
  const call = await raw.rpc('tools/call', { name: 'stopped__echo' });
  expect(call.json.error).toMatchObject({ code: -32010, message: 'stopped: It keeps crashing.' });
});

test('of two tools with one name the first is kept, and the other is reported once', async () => {
  await using one = await socketUpstream('one');
  await using two = await socketUpstream('two');
  const warnings: unknown[] = [];
  const given = snapshot({
    servers: { one: one.endpoint, two: two.endpoint },
    routes: { '/mcp': { servers: ['one', 'two'] } },
  });
  await using gateway = await start(given, {
    log: (level, _, fields) => level === 'warn' && warnings.push(fields?.['name']),
  });
  const raw = await session(gateway.url);
  await raw.rpc('tools/list');
  await raw.rpc('tools/list');
  expect(words((await raw.rpc('tools/call', { name: 'who' })).json.result)).toBe('one');
  expect(warnings).toEqual(one.tools.map((tool) => tool.name));
});

test('instructions are merged: the route first, then each server under its name', async () => {
  await using local = await socketUpstream('local');
  const given = snapshot({ servers: { local: { endpoints: [local.endpoint], instructions: 'Be kind.' } } });
  given.routes['/mcp'] = { servers: ['local'], separator: '.', instructions: 'All of it.' };
  await using gateway = await start(given);
  await using sdk = await client(`${gateway.url}/mcp`);
  expect(sdk.getInstructions()).toBe('All of it.\n\n## local\n\nBe kind.');
  expect(sdk.getServerVersion()).toEqual({ name: 'slipway', version: '0.0.0-test' });
});
