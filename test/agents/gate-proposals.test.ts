/** What a session that has passed a gate proposes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { session, start, type Wish } from '../gateway/helpers/gateway.ts';
import { socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { GATE, gated } from './helpers/gated.ts';

let code: Upstream;
beforeAll(async () => {
  code = await socketUpstream('code');
});
afterAll(() => code[Symbol.asyncDispose]());

describe('what a session proposes', () => {
  const asked: unknown[] = [];
  const control = async ({ body, caller }: { body?: unknown; caller: { key: string } }) => {
    asked.push({ body, by: caller.key });
    return { status: 201, body: { id: 'x-1', branch: 'slipway/proposals/x-1' } };
  };
  const config = (more: object = {}): Wish => ({
    ...gated(code),
    routes: { '/projects/dev/mcp': { project: 'dev', servers: [], gate: { ...GATE, ...more } } },
  });

  test('is checked before anybody is asked', async () => {
    await using local = await start(config({ proposals: true }), { control });
    const agent = await session(local.url, { path: '/projects/dev/mcp', token: 'one' });
    const propose = async (args: object): Promise<string> =>
      (await agent.rpc('tools/call', { name: 'propose_prompt', arguments: args })).text;
    const content = 'Something.';
    for (const [args, word] of [
      [{ content }, 'name must be'],
      [{ name: 'Not So', content }, 'name must be'],
      [{ name: '__proto__', content }, 'name must be'],
      [{ name: 'a' }, 'content must be'],
      [{ name: 'a', content: ' ' }, 'content must be'],
      [{ name: 'a', content: 'x'.repeat(16_385) }, 'at most 16384'],
      [{ name: 'a', content, priority: 10 }, 'from 1 to 9'],
      [{ name: 'a', content, priority: 1.5 }, 'from 1 to 9'],
      [{ name: 'elsewhere', content }, 'is taken'],
      [{ name: 'slipway-gate', content }, 'is taken'],
    ] as const)
      expect(await propose(args), JSON.stringify(args).slice(0, 60)).toContain(word);
    expect(asked).toEqual([]);
    expect(await propose({ name: 'constructor', content, summary: 'Two\n lines.', priority: '7' })).toContain('x-1');
    const spec = { content, priority: 7, summary: 'Two lines.', projects: ['dev'] };
    expect(asked).toMatchObject([
      {
        by: 'token:one',
        body: {
          title: 'Prompt constructor: Two lines.',
          resources: [{ apiVersion: 'slipway/v1', kind: 'Prompt', metadata: { name: 'constructor' }, spec }],
        },
      },
    ]);
  });

  test('is nothing where the config says so, or nobody takes it', async () => {
    await using off = await start(config(), { control });
    const one = await session(off.url, { path: '/projects/dev/mcp', token: 'one' });
    const args = { name: 'a', content: 'b' };
    expect((await one.rpc('tools/call', { name: 'propose_prompt', arguments: args })).json.error).toBeDefined();
    await using alone = await start(config({ proposals: true }));
    const other = await session(alone.url, { path: '/projects/dev/mcp', token: 'one' });
    const { text } = await other.rpc('tools/call', { name: 'propose_prompt', arguments: args });
    expect(text).toContain('Nothing can be proposed here.');
  });
});
