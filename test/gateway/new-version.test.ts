/** Another version of a server takes over: clients are told of the lists that became others, and of no other. */
import { expect, test } from 'vitest';
import { listen, type Events, session, snapshot, start } from './helpers/gateway.ts';
import { socketUpstream, type Upstream } from './helpers/upstreams.ts';

const TOOLS = [{ name: 'echo', inputSchema: { type: 'object' as const } }];
const CAPABILITIES = { tools: { listChanged: true }, prompts: { listChanged: true }, resources: {} };

/** As readiness found it, which knows tools and capabilities. */
const served = ({ endpoint }: Upstream) =>
  snapshot({ servers: { up: { endpoints: [endpoint], timeoutMs: 5000, tools: TOOLS, capabilities: CAPABILITIES } } });

async function version(name: string): Promise<Upstream> {
  const up = await socketUpstream(name, { all: true });
  up.tools.splice(0, Infinity, ...TOOLS);
  return up;
}

const noticeOn = async (stream: Events): Promise<string> => ((await stream.next()) as { method: string }).method;

async function seen(url: string) {
  const mine = await session(url);
  const names = async (list: string) => {
    const { result = {} } = (await mine.rpc(`${list}/list`)).json;
    return (result[list] as { name: string }[]).map(({ name }) => name);
  };
  const before = { tools: await names('tools'), prompts: await names('prompts') };
  await names('resources');
  return { names, before, stream: await listen(url, mine.id) };
}

test('prompts that are others, behind the same tools', async () => {
  await using first = await version('first');
  await using second = await version('second');
  second.prompts.push({ name: 'new' });
  await using gateway = await start(served(first));
  const { names, before, stream } = await seen(gateway.url);
  await gateway.swap(served(second));
  // Nobody called: the new version is asked at once, for what was asked of the old one.
  const heard = [await noticeOn(stream), await noticeOn(stream)];
  expect(heard.sort()).toEqual(['notifications/prompts/list_changed', 'notifications/resources/list_changed']);
  expect(await names('prompts')).toEqual([...before.prompts, 'up__new']);
  stream.close();
});

test('a tool that was there while the old version ran, and is no more', async () => {
  await using first = await version('first');
  await using second = await version('second');
  await using gateway = await start(served(first));
  const { names, before, stream } = await seen(gateway.url);
  first.tools.push({ name: 'later', inputSchema: { type: 'object' } });
  first.say({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
  expect(await stream.next()).toMatchObject({ method: 'notifications/tools/list_changed' });
  expect(await names('tools')).toEqual([...before.tools, 'up__later']);
  await gateway.swap(served(second));
  const heard = [await noticeOn(stream), await noticeOn(stream)];
  // Its resources are its own as well.
  expect(heard.sort()).toEqual(['notifications/resources/list_changed', 'notifications/tools/list_changed']);
  expect(await names('tools')).toEqual(before.tools);
  stream.close();
});

test('the same lists are no news', async () => {
  await using first = await version('up');
  await using second = await version('up');
  await using gateway = await start(served(first));
  const { stream } = await seen(gateway.url);
  await gateway.swap(served(second));
  for (const method of ['tools/list', 'prompts/list', 'resources/list']) await second.saw(method);
  second.say({ jsonrpc: '2.0', method: 'notifications/prompts/list_changed' });
  second.prompts.push({ name: 'new' });
  // The first that is heard is what it says itself.
  expect(await stream.next()).toMatchObject({ method: 'notifications/prompts/list_changed' });
  stream.close();
});
