/** What a gate says, and its tools beside those of servers. */
import { expect, test } from 'vitest';
import { client, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { GATE, gated, namesOf, textOf } from './helpers/gated.ts';

test('the words of the gate are the config’s to change, and come back', async () => {
  await using code = await socketUpstream('code');
  const wish = gated(code);
  const own = (text?: string): Wish => ({
    ...wish,
    prompts: { ...wish.prompts, ...(text === undefined ? {} : { 'slipway-gate': { content: text, priority: 5 } }) },
  });
  await using local = await start({ ...own('Say what you are up to.'), principals: [] });
  const told = async (): Promise<string> => {
    await using agent = await client(`${local.url}/projects/gated/mcp`);
    expect((await agent.listPrompts()).prompts.map(({ name }) => name)).not.toContain('slipway-gate');
    return (agent.getInstructions() ?? '').split('\n')[0] ?? '';
  };
  expect(await told()).toBe('Say what you are up to.');
  await local.swap(snapshot({ ...own(), principals: [] }));
  expect(await told()).toContain('Call the tool begin_session now');
});

test('no tool of a server takes the place of one of the gate', async () => {
  await using up = await socketUpstream('up');
  up.tools.push(...['begin_session', 'read_prompts'].map((name) => ({ name, inputSchema: { type: 'object' } })));
  const warned: unknown[] = [];
  const log = (level: string, _message: string, fields?: object): void =>
    void (level === 'warn' && warned.push((fields as { name?: string }).name));
  const route = { project: 'dev', servers: ['up'], separator: '__', gate: GATE, overrides: { up: { prefix: '' } } };
  const wanted = { servers: { up: up.endpoint }, routes: { '/projects/dev/mcp': route } };
  await using local = await start(wanted, { log });
  await using agent = await client(`${local.url}/projects/dev/mcp`);
  const begun = await agent.callTool({ name: 'begin_session', arguments: { tags: ['x'] } });
  expect(textOf(begun)).toContain('Your session has begun');
  expect(namesOf(await agent.listTools())).toEqual(['echo', 'slow', 'progress', 'fail', 'hang', 'who', 'read_prompts']);
  expect(warned).toEqual(['begin_session', 'read_prompts']);
});
