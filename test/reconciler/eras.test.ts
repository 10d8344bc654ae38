/** Servers of both eras become ready, and are held: what they speak is asked once, and remembered. */
import { expect, test } from 'vitest';
import { META, ourselves } from '../../schemas/modern.ts';
import type { RpcNotification } from '../../schemas/jsonrpc.ts';
import { callTool, initialize } from '../helpers/mcp.ts';
import { logOf, processRig, untilState } from '../helpers/process-driver.ts';
import { program } from '../helpers/processes.ts';
import { Rig } from '../helpers/rig.ts';
import { workload, type WorkloadOptions } from '../helpers/workload.ts';

const never = (): AbortSignal => new AbortController().signal;

async function bridge(name: string, options: Omit<WorkloadOptions, 'argv'> = {}) {
  const rig = await processRig();
  const { id } = await rig.driver.ensure(workload({ argv: program(name), ...options }), 0, never());
  return {
    id,
    driver: rig.driver,
    log: () => logOf(rig.driver, id),
    connect: (onNotification: (notification: RpcNotification) => void = () => {}) => {
      const connection = rig.driver.connect?.(id, { onNotification });
      if (!connection) throw new Error('nothing to connect to');
      return connection;
    },
    observe: async () => (await rig.driver.list(never())).find((instance) => instance.id === id),
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

const asked = (name: string, args: object = {}) => ourselves('test', { name, arguments: args });

test('a server that speaks only 2026-07-28 is held: asked once what it speaks, which whoever comes is told from memory', async () => {
  await using it = await bridge('modern');
  const connection = it.connect();
  const found = await connection.request('server/discover', ourselves('test'));
  expect(found).toMatchObject({ supportedVersions: ['2026-07-28'], instructions: 'I am new.' });
  await expect(initialize(it.connect())).rejects.toMatchObject({
    error: { code: -32_022, data: { supported: ['2026-07-28'] } },
  });
  await it.connect().request('server/discover', ourselves('test'));
  const { content } = (await connection.request('tools/call', asked('seen'))) as { content: { text: string }[] };
  expect(JSON.parse(content[0]?.text ?? '')).toEqual(['server/discover', 'tools/call']);
});

test('whoever listens goes on listening after a crash, and keeps the server awake only for the news of a resource', async () => {
  await using it = await bridge('modern', { idleTimeoutMs: 50 });
  const heard: RpcNotification[] = [];
  let next = Promise.withResolvers<void>();
  const connection = it.connect((notification) => {
    heard.push(notification);
    next.resolve();
    next = Promise.withResolvers();
  });
  const overheard: RpcNotification[] = [];
  it.connect((notification) => overheard.push(notification));
  const notifications = { toolsListChanged: true, resourceSubscriptions: ['mem://a'] };
  const stop = new AbortController();
  const first = next.promise;
  const listening = connection.request('subscriptions/listen', ourselves('test', { notifications }), {
    signal: stop.signal,
  });
  listening.catch(() => {});
  await first;
  expect(heard).toMatchObject([{ method: 'notifications/subscriptions/acknowledged', params: { notifications } }]);
  const again = next.promise;
  await expect(connection.request('tools/call', asked('die'))).rejects.toThrow();
  await again;
  const update = next.promise;
  await connection.request('tools/call', asked('touch', { uri: 'mem://a' }));
  await update;
  expect(heard.at(-1)).toMatchObject({ method: 'notifications/resources/updated', params: { uri: 'mem://a' } });
  expect(heard.at(-1)?.params?.['_meta']).toHaveProperty([META.subscription]);
  // That it started anew is news for all who know what it has; the rest is for those who listen.
  const lists = ['tools', 'prompts', 'resources'];
  expect(overheard).toEqual(lists.map((list) => ({ jsonrpc: '2.0', method: `notifications/${list}/list_changed` })));
  stop.abort();
  await expect(listening).rejects.toThrow();
  // Who waits for nothing but changed lists does not keep it awake.
  const wish = { notifications: { toolsListChanged: true } };
  connection.request('subscriptions/listen', ourselves('test', wish), { signal: never() }).catch(() => {});
  await untilState(it.driver, it.id, 'sleeping');
});

test('an old server that falls over the question what it speaks is started again and not asked', async () => {
  await using it = await bridge('brittle');
  const connection = it.connect();
  await initialize(connection);
  expect(await callTool(connection, 'pid')).toBe(String((await it.observe())?.pid));
  expect(await it.observe()).toMatchObject({ state: 'running', restarts: 0 });
  expect(await it.log()).toContain('it is started again and not asked');
});

test('an old server that does not answer the question is spoken to the old way after a while', async () => {
  await using it = await bridge('quiet', { rollout: { ...workload({ argv: [] }).rollout, timeoutMs: 3_000 } });
  const connection = it.connect();
  await initialize(connection);
  expect(await callTool(connection, 'hush')).toBe('…');
});

const server = (name: string, of: string, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'slipway/v1',
    kind: 'Server',
    metadata: { name },
    spec: { command: program(of), ...more },
  });

test('servers of both eras become ready over stdio and HTTP, and the status says what each of them speaks', async () => {
  await using rig = await Rig.make();
  await rig.apply({
    'a.yaml': server('new-stdio', 'modern', {
      probes: { readiness: { call: { tool: 'echo', arguments: { message: 'hi' } } } },
    }),
    'b.yaml': server('new-http', 'modern', {
      transport: 'http',
      probes: { readiness: { call: { tool: 'echo', arguments: { message: 'hi' } } } },
    }),
    'c.yaml': server('old-stdio', 'good'),
    'd.yaml': server('old-http', 'http', { transport: 'http' }),
  });
  const status = await rig.reconciler.status();
  expect(Object.fromEntries(status.servers.map(({ name, era, transport }) => [name, [era, transport]]))).toEqual({
    'new-stdio': ['modern', 'stdio'],
    'new-http': ['modern', 'http'],
    'old-stdio': ['legacy', 'stdio'],
    'old-http': ['legacy', 'http'],
  });
  for (const name of ['new-stdio', 'new-http'])
    expect(rig.snapshot.servers[name]).toMatchObject({
      tools: expect.arrayContaining([expect.objectContaining({ name: 'echo' })]),
      instructions: 'I am new.',
      capabilities: { resources: { subscribe: true } },
    });
});
