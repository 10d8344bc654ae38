/** What a commit changes of the names and the look of tools: clients that listen are told, and `can-i` knows. */
import { expect, test } from 'vitest';
import type { Route } from '../../schemas/snapshot.ts';
import { listen, principal, raw, session, snapshot, start } from './helpers/gateway.ts';
import { socketUpstream } from './helpers/upstreams.ts';

const path = '/projects/p/mcp';

test('tools that are hidden, renamed or described anew are news; what is done with their results is not', async () => {
  await using up = await socketUpstream('up');
  const at = (overrides: Route['overrides']) =>
    snapshot({
      servers: { up: up.endpoint },
      principals: [principal('ada', 'sesame')],
      access: { members: { p: ['up'] } },
      routes: { [path]: { project: 'p', servers: ['up'], separator: '__', ...(overrides ? { overrides } : {}) } },
    });
  await using gateway = await start(at(undefined));
  const mine = await session(gateway.url, { path, token: 'sesame' });
  const names = async (): Promise<string[]> => {
    const { tools = [] } = ((await mine.rpc('tools/list')).json.result ?? {}) as { tools?: { name: string }[] };
    return tools.map(({ name }) => name);
  };
  expect(await names()).toContain('up__echo');
  const stream = await listen(gateway.url, mine.id, path, undefined, 'sesame');
  const changed = { method: 'notifications/tools/list_changed' };
  await gateway.swap(at({ up: { hide: ['echo'] } }));
  expect(await stream.next()).toMatchObject(changed);
  expect(await names()).not.toContain('up__echo');
  const question = await raw(gateway.url, {
    path: '/api/v1/auth/can-i?verb=call&thing=up/echo&project=p',
    headers: { Authorization: 'Bearer sesame' },
  });
  expect(question.json).toMatchObject({ allowed: false, reason: 'the project p hides it, whoever calls' });
  await gateway.swap(at({ up: { prefix: 'u_' } }));
  expect(await stream.next()).toMatchObject(changed);
  expect(await names()).toContain('u_echo');
  await gateway.swap(at({ up: { prefix: 'u_', tools: { who: { description: 'Now this.' } } } }));
  expect(await stream.next()).toMatchObject(changed);
  await gateway.swap(at({ up: { prefix: 'u_', pipeline: 'none', tools: { who: { description: 'Now this.' } } } }));
  await gateway.swap(at({ up: { prefix: 'v_' } }));
  expect(await stream.next()).toMatchObject(changed);
  expect(await Promise.race([stream.next(), mine.rpc('ping').then(() => 'nothing')])).toBe('nothing');
  stream.close();
});
