import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { matches } from '../../gateway/methods/resources.ts';
import { client, listen, raw, session, snapshot, start } from './helpers/gateway.ts';
import { httpUpstream, listening, socketUpstream, type Upstream } from './helpers/upstreams.ts';

const kinds: Record<string, (name: string) => Promise<Upstream>> = {
  socket: (name) => socketUpstream(name, { all: true }),
  http: (name) => httpUpstream(name, { all: true, stream: true }),
};

for (const [kind, open] of Object.entries(kinds)) {
  test(`prompts, resources, templates and completions of two servers behind one route (${kind})`, async () => {
    await using one = await open('one');
    await using two = await open('two');
    await using gateway = await start({ servers: { one: one.endpoint, two: two.endpoint } });
    await using sdk = await client(`${gateway.url}/mcp`);
    expect(sdk.getServerCapabilities()).toEqual({
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    });
    const { prompts } = await sdk.listPrompts();
    expect(prompts.map(({ name }) => name)).toEqual(['one__greet', 'one__part', 'two__greet', 'two__part']);
    expect(prompts[1]?._meta).toEqual({ kept: true });
    const { resources } = await sdk.listResources();
    expect(resources.map(({ uri, name }) => [uri, name])).toEqual([
      ['mem://one/a', 'a'],
      ['mem://shared', 'one'],
      ['mem://two/a', 'a'],
    ]);
    expect(resources[0]).toMatchObject({ icons: [{ src: 'data:,' }], annotations: { priority: 1 } });
    const { resourceTemplates } = await sdk.listResourceTemplates();
    expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
      'mem://one/items/{id}',
      'mem://two/items/{id}',
    ]);
    expect((await sdk.getPrompt({ name: 'two__greet', _meta: { own: 1 } })).description).toBe('two greet');
    const read = async (uri: string): Promise<unknown> => (await sdk.readResource({ uri })).contents[0];
    // Listed, of both, from a template, and known to nobody but the server.
    expect(await read('mem://two/a')).toEqual({ uri: 'mem://two/a', text: 'from two' });
    expect(await read('mem://shared')).toEqual({ uri: 'mem://shared', text: 'from one' });
    expect(await read('mem://two/items/7')).toEqual({ uri: 'mem://two/items/7', text: 'from two' });
    expect(await read('mem://two/hidden')).toEqual({ uri: 'mem://two/hidden', text: 'from two' });
    await expect(read('mem://nobody')).rejects.toMatchObject({ code: -32_002 });
    const argument = { name: 'x', value: 'y' };
    const complete = async (ref: Parameters<typeof sdk.complete>[0]['ref']): Promise<string[]> =>
      (await sdk.complete({ ref, argument })).completion.values;
    expect(await complete({ type: 'ref/prompt', name: 'two__part' })).toEqual(['two', 'part']);
    const uri = 'mem://two/items/{id}';
    expect(await complete({ type: 'ref/resource', uri })).toEqual(['two', uri]);
  });

  test(`an update of a resource reaches those who subscribed, and the server hears of the first and the last (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const [ann, bob, eve] = [await session(gateway.url), await session(gateway.url), await session(gateway.url)];
    const uri = 'mem://shared';
    for (const who of [ann, bob]) expect((await who.rpc('resources/subscribe', { uri })).json.result).toEqual({});
    const streams = await Promise.all([ann, bob, eve].map(({ id }) => listen(gateway.url, id)));
    const said = { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } };
    const prompts = { jsonrpc: '2.0', method: 'notifications/prompts/list_changed' };
    const [hers, his, foreign] = streams.map((stream) => stream.next());
    await listening(up);
    up.say(said);
    expect(await hers).toEqual(said);
    expect(await his).toEqual(said);
    const count = (method: string): number =>
      up.seen.filter((seen) => 'method' in seen && seen.method === method).length;
    expect(count('resources/subscribe')).toBe(1);
    await ann.rpc('resources/unsubscribe', { uri });
    const quiet = streams[0]?.next();
    up.say(said);
    expect(await streams[1]?.next()).toEqual(said);
    expect(count('resources/unsubscribe')).toBe(0);
    await raw(gateway.url, { method: 'DELETE', path: '/mcp', headers: { 'Mcp-Session-Id': bob.id } });
    await up.saw('resources/unsubscribe');
    // What comes next is the first thing that the others hear: no update was for them.
    up.say(prompts);
    expect(await foreign).toEqual(prompts);
    expect(await quiet).toEqual(prompts);
    for (const stream of streams) stream.close();
  });

  test(`subscriptions and the level are told again to a server that forgot us (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const mine = await session(gateway.url);
    await mine.rpc('resources/subscribe', { uri: 'mem://shared' });
    expect((await mine.rpc('logging/setLevel', { level: 'debug' })).json.result).toEqual({});
    up.seen.length = 0;
    up.drop();
    await mine.rpc('tools/call', { name: 'up__who' });
    expect(await up.saw('resources/subscribe')).toMatchObject({ params: { uri: 'mem://shared' } });
    expect(await up.saw('logging/setLevel')).toMatchObject({ params: { level: 'debug' } });
  });

  test(`a session hears log messages of its own level, before the result (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const [mine, other] = [await session(gateway.url), await session(gateway.url)];
    await other.rpc('logging/setLevel', { level: 'debug' });
    await mine.rpc('logging/setLevel', { level: 'warning' });
    expect((await up.saw('logging/setLevel')) as object).toMatchObject({ params: { level: 'debug' } });
    expect((await mine.rpc('logging/setLevel', { level: 'loud' })).json.error?.code).toBe(-32_602);
    const { text } = await mine.rpc('tools/call', {
      name: 'up__log',
      arguments: { levels: ['debug', 'warning', 'emergency'] },
    });
    const levels = [...text.matchAll(/"level":"(\w+)"/g)].map(([, level]) => level);
    expect(levels).toEqual(['warning', 'emergency']);
    expect(text.lastIndexOf('"level"')).toBeLessThan(text.indexOf('"result"'));
  });

  test(`a changed list is told once, to those whom it concerns (${kind})`, async () => {
    await using one = await open('one');
    await using two = await open('two');
    await using gateway = await start({ servers: { one: one.endpoint, two: two.endpoint } });
    const both = await session(gateway.url);
    const path = '/servers/two/mcp';
    const second = await session(gateway.url, { path });
    await both.rpc('prompts/list');
    const [all, its] = [await listen(gateway.url, both.id), await listen(gateway.url, second.id, path)];
    const foreign = its.next();
    await listening(one);
    await listening(two);
    one.prompts.push({ name: 'fresh' });
    const changed = { jsonrpc: '2.0', method: 'notifications/prompts/list_changed' };
    for (let times = 0; times < 3; times++) one.say(changed);
    expect(await all.next()).toEqual(changed);
    expect((await both.rpc('prompts/list')).text).toContain('one__fresh');
    two.prompts.push({ name: 'fresh' });
    two.say({ jsonrpc: '2.0', method: 'notifications/resources/list_changed' });
    // The next thing that either hears is the second server's: nothing was told twice, or to the wrong one.
    const second_changed = { jsonrpc: '2.0', method: 'notifications/resources/list_changed' };
    expect(await all.next()).toEqual(second_changed);
    expect(await foreign).toEqual(second_changed);
    for (const stream of [all, its]) stream.close();
  });
}

test('a method that no server of the route has is not there; the one server of a route gets what it alone may know', async () => {
  await using plain = await socketUpstream('plain');
  await using full = await socketUpstream('full', { all: true });
  await using gateway = await start({ servers: { plain: plain.endpoint, full: full.endpoint } });
  const path = (name: string): { path: string } => ({ path: `/servers/${name}/mcp` });
  const [poor, rich, both] = [
    await session(gateway.url, path('plain')),
    await session(gateway.url, path('full')),
    await session(gateway.url),
  ];
  for (const method of ['prompts/list', 'resources/list', 'resources/templates/list', 'logging/setLevel'])
    expect((await poor.rpc(method, { level: 'info' })).json.error?.code).toBe(-32_601);
  for (const asking of [both, rich])
    for (const method of ['tasks/list', 'tasks/get'])
      expect((await asking.rpc(method, { taskId: 't' })).json.error?.code).toBe(-32_601);
  expect((await rich.rpc('prompts/get', { name: 'unlisted' })).json.result?.['description']).toBe('full unlisted');
});

test('one bad server hides nobody else: its prompts are missing and named', async () => {
  await using up = await socketUpstream('up', { all: true });
  const gone = { id: 'gone', transport: 'stdio', address: 'unix:/nonexistent/x.sock' } as const;
  await using gateway = await start(snapshot({ servers: { gone, up: up.endpoint } }));
  const mine = await session(gateway.url);
  const { result } = (await mine.rpc('prompts/list')).json;
  expect(result?.['prompts']).toHaveLength(2);
  expect(result?.['_meta']).toMatchObject({ 'slipway/unavailable': { gone: expect.any(String) } });
});

test('a server that does not say what it can do slows one handshake, not each', async () => {
  let dialled = 0;
  const broken = createServer((_, response) => {
    dialled++;
    response.writeHead(500).end();
  });
  broken.listen(0, '127.0.0.1');
  await once(broken, 'listening');
  onTestFinished(() => void broken.close());
  const address = `http://127.0.0.1:${(broken.address() as AddressInfo).port}/mcp`;
  await using gateway = await start({ servers: { broken: { id: 'broken', transport: 'http', address } } });
  for (let times = 0; times < 5; times++) await session(gateway.url);
  // Asked once what it speaks, and once the old way.
  expect(dialled).toBe(2);
});

test('one session cannot fill the memory with subscriptions', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const mine = await session(gateway.url);
  const subscribe = (at: number) => mine.rpc('resources/subscribe', { uri: `mem://up/${at}` }, at);
  for (let at = 0; at < 1000; at += 50)
    await Promise.all(Array.from({ length: 50 }, (_, more) => subscribe(at + more)));
  expect((await subscribe(1000)).json.error?.message).toBe('Too many subscriptions.');
});

test('a URI belongs to a template when it could have been made from it', () => {
  const table: [string, string, boolean][] = [
    ['mem://a/{id}', 'mem://a/1', true],
    ['mem://a/{id}', 'mem://b/1', false],
    ['mem://{+path}/end', 'mem://x/y/end', true],
    ['mem://{+path}/end', 'mem://x/y/ends', false],
    ['mem://a{?q}', 'mem://a?q=1', true],
    ['mem://fixed', 'mem://fixed', true],
    ['mem://fixed', 'mem://fixed/no', false],
    ['ab{x}ba', 'aba', false],
    ['{a}-{b}', '1-2', true],
  ];
  for (const [template, uri, expected] of table)
    expect([template, uri, matches(template, uri)]).toEqual([template, uri, expected]);
});
