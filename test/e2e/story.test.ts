/** The whole story with the real program: a push starts a server, a client calls it, a bad push hurts nothing, git tells all. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import fs from 'node:fs';
import { log as gitLog } from 'isomorphic-git';
import { expect, test } from 'vitest';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';

async function connect(url: string, path = '/mcp'): Promise<{ client: Client } & AsyncDisposable> {
  const client = new Client({ name: 'story', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}${path}`)) as Transport);
  return { client, [Symbol.asyncDispose]: () => client.close() };
}

const textOf = (result: unknown): string =>
  (result as { content: { text: string }[] }).content.map((part) => part.text).join('');

test('from a git push to a tool call, and back to git', async () => {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') }, 'Say hello');
  const running = await desk.up();
  await using session = await connect(await running.serving);
  const { client } = session;
  const changed = new Promise<void>((resolve) => {
    client.fallbackNotificationHandler = async ({ method }) =>
      method === 'notifications/tools/list_changed' ? resolve() : undefined;
  });
  expect((await client.listTools()).tools.map((tool) => tool.name)).toEqual(['hello__hello']);
  expect(textOf(await client.callTool({ name: 'hello__hello', arguments: { name: 'Ada' } }))).toBe('Hello, Ada!');

  // A second server arrives with a push; the session that is open hears of it.
  const second = desk.push({ 'servus.yaml': helloServer('servus', 'Servus') }, 'Speak Austrian');
  const synced = await desk.sync();
  expect(synced.out).toContain('Server/servus started');
  expect(synced.code).toBe(0);
  await changed;
  expect(textOf(await client.callTool({ name: 'servus__hello', arguments: { name: 'Ada' } }))).toBe('Servus, Ada!');

  // A broken push is refused as a whole, and nothing that runs is touched.
  const before = await desk.status();
  const bad = desk.push(
    { 'hello.yaml': helloServer('hello').replace('command', 'comand'), 'servus.yaml': undefined },
    'Break it',
  );
  const refused = await desk.sync();
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/hello\.yaml:5:3: unknown-field: .*\n +hint: Did you mean command\?/);
  const stalled = await desk.status();
  expect(stalled.conditions.find((entry) => entry.type === 'Stalled')?.message).toContain('hello.yaml:5:3');
  expect(stalled.lastApplied?.id).toBe(second);
  expect(stalled.lastAttempted?.id).toBe(bad);
  expect(stalled.servers.map((server) => server.instances)).toEqual(before.servers.map((server) => server.instances));
  expect(textOf(await client.callTool({ name: 'servus__hello', arguments: { name: 'Ada' } }))).toBe('Servus, Ada!');

  // A revert heals it.
  desk.git(desk.config, 'revert', '--no-edit', 'HEAD');
  desk.git(desk.config, 'push', '--quiet', 'origin', 'HEAD:main');
  expect((await desk.sync()).code).toBe(0);
  expect((await desk.status()).conditions.find((entry) => entry.type === 'Ready')?.status).toBe('True');

  // What happened is in git: read by another implementation than the one that wrote it.
  await running.stop();
  const all = await gitLog({ fs, gitdir: desk.remote, ref: 'slipway/audit' });
  const [events, ...more] = all.filter(({ commit }) => commit.message.startsWith('audit: '));
  expect([events?.oid, more]).toEqual([all[0]?.oid, []]);
  const log = all.slice(1);
  const subjects = log.map(({ commit }) => commit.message.split('\n')[0]);
  expect(subjects).toHaveLength(3);
  expect(subjects[2]).toMatch(/^applied [0-9a-f]{8}: 2 to create$/);
  expect(subjects[1]).toMatch(/^applied [0-9a-f]{8}: 1 to create$/);
  expect(subjects[0]).toMatch(/^refused [0-9a-f]{8}: 2 issues$/);
  expect(log.every(({ commit }) => commit.author.name === 'slipway')).toBe(true);
  expect(log[1]?.commit.message).toContain(`Slipway-Commit: ${second}`);
});

test('a restart needs no git: the last good commit serves, its servers asleep until they are called', async () => {
  await using desk = new Desk();
  desk.push({ 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
  const first = await desk.up();
  // On a busy machine it serves before its first pass is over.
  expect((await desk.sync()).code).toBe(0);
  await first.stop();
  fs.renameSync(desk.remote, `${desk.remote}.away`);

  const running = await desk.up();
  await using session = await connect(await running.serving);
  expect((await session.client.listTools()).tools.map((tool) => tool.name)).toEqual(['hello__hello']);
  const asleep = await desk.status();
  expect(asleep.servers[0]?.instances[0]?.state).toBe('sleeping');
  expect(textOf(await session.client.callTool({ name: 'hello__hello', arguments: { name: 'Bob' } }))).toBe(
    'Hello, Bob!',
  );
  expect(asleep.conditions.find((entry) => entry.type === 'Ready')).toMatchObject({
    status: 'False',
    reason: 'SourceUnreachable',
  });
});

test('a session outlives a restart of the gateway', async () => {
  await using desk = new Desk();
  desk.push({ 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
  const first = await desk.up();
  const port = new URL(await first.serving).port;
  await using session = await connect(await first.serving);
  await session.client.listTools();
  await first.stop();
  await desk.up(['--listen', `127.0.0.1:${port}`]);
  expect(textOf(await session.client.callTool({ name: 'hello__hello', arguments: { name: 'Cy' } }))).toBe('Hello, Cy!');
});

test('beyond loopback nothing listens without a Token, and with one only who has it gets in', async () => {
  await using desk = new Desk();
  desk.push({
    'gateway.yaml': `${GATEWAY}spec: { listen: "0.0.0.0:0" }\n`,
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello'),
  });
  const plan = await desk.slipway(['plan']);
  expect(plan.code).toBe(3);
  expect(plan.out).toContain('blocked (unsafe-listen)');

  const made = await desk.slipway(['token', 'create', 'ada']);
  const token = made.out;
  expect(token).toMatch(/^slw_[A-Za-z0-9_-]{43}$/);
  desk.git(desk.config, 'push', '--quiet', 'origin', 'HEAD:main');
  const running = await desk.up();
  const url = `${await running.serving}/mcp`;
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
  });
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(401);
  expect(
    (await fetch(url, { method: 'POST', headers: { ...headers, authorization: `Bearer ${token}x` }, body })).status,
  ).toBe(401);
  expect(
    (await fetch(url, { method: 'POST', headers: { ...headers, authorization: `Bearer ${token}` }, body })).status,
  ).toBe(200);
  expect(running.log).not.toContain(token);
});
