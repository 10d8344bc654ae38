/** Budgets: what they count, what happens at their end, and that a restart forgets nothing. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { spanOf } from '../../gateway/limits/calendar.ts';
import { TokenCounter } from '../../gateway/limits/tokens.ts';
import { storeFile } from '../../reconciler/index.ts';
import type { BudgetEntry } from '../../schemas/budgets.ts';
import { ask } from '../gateway/helpers/modern.ts';
import { principal, raw, session, snapshot, start, type Raw } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { tempDir } from '../helpers/temp.ts';
import { eventually } from '../helpers/until.ts';
import { budget } from './helpers/budget.ts';

const people = [principal('ada', 'ada-token'), principal('bob', 'bob-token')];
const echo = (text = 'hi') => ({ name: 'up__echo', arguments: { text } });

interface Meta {
  readonly 'slipway/budgets'?: unknown;
  readonly 'slipway/error'?: { readonly limit: { readonly name: string } };
}

const metaOf = ({ result }: Raw['json']): Meta => (result?.['_meta'] ?? {}) as Meta;

describe('calls', () => {
  test('are counted, told of once at 0.8, and refused at the end: as a result for tools, as an error otherwise', async () => {
    await using up = await socketUpstream('up', { all: true });
    const warnings: string[] = [];
    await using gateway = await start(
      { servers: { up: up.endpoint }, budgets: [budget({ calls: 5 })] },
      { log: (level, message) => level === 'warn' && warnings.push(message) },
    );
    const notices = [];
    for (let n = 0; n < 5; n++) {
      const { json } = await ask(gateway.url, 'tools/call', echo());
      expect(json.result?.['isError']).toBeUndefined();
      notices.push(metaOf(json)['slipway/budgets']);
    }
    expect(notices.map((notice) => notice !== undefined)).toEqual([false, false, false, true, false]);
    expect(notices[3]).toMatchObject([{ budget: 'agents', used: { calls: 4 }, limits: { calls: 5 }, share: 0.8 }]);
    expect(warnings).toEqual(['a budget comes to its end', 'a budget is used up']);
    const legacy = await session(gateway.url);
    for (const { status, json } of [
      await ask(gateway.url, 'tools/call', echo()),
      await legacy.rpc('tools/call', echo()),
    ])
      expect([status, json.result]).toMatchObject([
        200,
        {
          isError: true,
          content: [
            {
              text: expect.stringMatching(
                /^Budget agents is used up \(5 of 5 calls\) until \d{4}-\d\d-01T00:00:00.000Z\.$/,
              ),
            },
          ],
          _meta: {
            'slipway/policy': 'budget',
            'slipway/error': { error_code: 'budget-exhausted', limit: { level: 'budget', name: 'agents' } },
          },
        },
      ]);
    const read = await legacy.rpc('resources/read', { uri: 'mem://up/1' });
    expect([read.status, read.json.error?.data]).toMatchObject([429, { error_code: 'budget-exhausted' }]);
    expect(Number(read.headers['retry-after'])).toBeGreaterThan(0);
    // What costs nothing goes on.
    expect((await legacy.rpc('tools/list')).json.result).toBeDefined();
    expect(gateway.budgets()).toMatchObject([{ budget: 'agents', used: { calls: 5 }, state: 'exhausted', share: 1 }]);
    expect(up.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toHaveLength(5);
    const { text } = await raw(gateway.url, { path: '/metrics' });
    expect(text).toContain('slipway_gateway_limited_total{level="budget",reason="budget-exhausted"} 3');
    expect(text).toContain('slipway_gateway_budget_used_ratio{budget="agents"} 1');
  });

  test('that run at the same time cannot go beyond it together', async () => {
    await using up = await socketUpstream('up');
    await using gateway = await start({ servers: { up: up.endpoint }, budgets: [budget({ calls: 3 })] });
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(gateway.url, 'tools/call', echo())));
    expect(answers.filter(({ json }) => json.result?.['isError'] !== true)).toHaveLength(3);
  });

  test('count for each principal, for those that are named, or through a project', async () => {
    await using up = await socketUpstream('up');
    await using gateway = await start({
      servers: { up: up.endpoint },
      principals: people,
      budgets: [
        budget({ name: 'each', per: 'principal', calls: 2 }),
        budget({ name: 'bobs', principals: ['token:bob'], calls: 1 }),
        budget({ name: 'dev', routes: ['/projects/dev/mcp'], per: 'project', calls: 1 }),
      ],
    });
    const refusedBy = async (token: string, path = '/mcp'): Promise<unknown> => {
      const { json } = await ask(gateway.url, 'tools/call', echo(), { token, path });
      return metaOf(json)['slipway/error']?.limit.name;
    };
    expect([await refusedBy('bob-token'), await refusedBy('bob-token')]).toEqual([undefined, 'bobs']);
    expect(await refusedBy('ada-token', '/projects/dev/mcp')).toBeUndefined();
    expect(await refusedBy('ada-token', '/projects/dev/mcp')).toBe('dev');
    expect([await refusedBy('ada-token'), await refusedBy('ada-token')]).toEqual([undefined, 'each']);
    const rows = gateway.budgets().map(({ budget: name, subject, used }) => [name, subject, used.calls]);
    expect(rows).toEqual([
      ['each', 'token:bob', 1],
      ['each', 'token:ada', 2],
      ['bobs', undefined, 1],
      ['dev', 'dev', 1],
    ]);
  });

  test('over one that only warns are made all the same', async () => {
    await using up = await socketUpstream('up');
    await using gateway = await start({
      servers: { up: up.endpoint },
      budgets: [budget({ calls: 1, enforce: false })],
    });
    for (let n = 0; n < 3; n++)
      expect((await ask(gateway.url, 'tools/call', echo())).json.result?.['isError']).toBeUndefined();
    expect(gateway.budgets()).toMatchObject([{ used: { calls: 3 }, share: 3, state: 'exhausted', mode: 'warn' }]);
  });
});

describe('tokens and costs', () => {
  test('are those of a real tokenizer, counted behind the answer, by the last price that matches', async () => {
    await using up = await socketUpstream('up');
    const prices = [
      { server: '*', tool: '*', perCall: 1, per1kTokens: 0 },
      { server: 'u?', tool: 'ECHO', perCall: 0.5, per1kTokens: 100 },
    ];
    await using gateway = await start({
      servers: { up: up.endpoint },
      budgets: [budget({ tokens: 100, cost: 50, prices })],
    });
    await ask(gateway.url, 'tools/call', { name: 'up__who' });
    await ask(gateway.url, 'tools/call', echo(' hello'.repeat(20)));
    // `up` is one token; `up:` and twenty times ` hello` are 22.
    await eventually(() => gateway.budgets()[0]?.used.tokens === 23);
    expect(gateway.budgets()[0]?.used.cost).toBeCloseTo(1 + 0.5 + 2.2, 6);
    // It is known only afterwards how much a result has: this one goes beyond it, and the next is refused.
    expect((await ask(gateway.url, 'tools/call', echo(' hello'.repeat(200)))).json.result?.['isError']).toBeUndefined();
    await eventually(() => gateway.budgets()[0]?.state === 'exhausted');
    expect((await ask(gateway.url, 'tools/call', echo())).json.result?.['isError']).toBe(true);
  });

  test('of a text made to be slow are counted in slices, while the process goes on', async () => {
    const counter = new TokenCounter();
    const counted = Promise.withResolvers<number>();
    // Loading the tokenizer is no slice.
    counter.count('{"content":[]}', () => {});
    await counter.idle();
    const text = 'aB'.repeat(2 ** 18);
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    counter.count(JSON.stringify({ content: [{ type: 'text', text }] }), counted.resolve);
    expect(await counted.promise).toBeGreaterThan(1000);
    clearInterval(timer);
    expect(longest).toBeLessThan(1_000);
  });
});

describe('what was used', () => {
  test('what was used survives a restart, and another window begins at zero', async () => {
    await using up = await socketUpstream('up');
    using dir = tempDir();
    const file = dir.at('budgets.json');
    const given = (more: Partial<BudgetEntry>) =>
      snapshot({ servers: { up: up.endpoint }, budgets: [budget({ calls: 3, ...more })] });
    const restarted = () => start(given({}), { budgets: storeFile(file) });
    {
      await using gateway = await restarted();
      await ask(gateway.url, 'tools/call', echo());
      // Written within a second, whether or not anybody says goodbye.
      await eventually(() => existsSync(file) && readFileSync(file, 'utf8').includes('"calls":1'));
      await ask(gateway.url, 'tools/call', echo());
    }
    await using gateway = await restarted();
    expect(gateway.budgets()).toMatchObject([{ used: { calls: 2 } }]);
    await gateway.swap(given({ calls: 10 }));
    expect(gateway.budgets()).toMatchObject([{ used: { calls: 2 }, limits: { calls: 10 } }]);
    await gateway.swap(given({ window: { slidingMs: 60_000 } }));
    expect(gateway.budgets()).toMatchObject([{ used: { calls: 0 } }]);
  });

  test('a file that is none is told of, and no reason not to start', async () => {
    await using up = await socketUpstream('up');
    const store = { read: () => ({ accounts: [] }), write: () => Promise.reject(new Error('disk full')) };
    const told: string[] = [];
    const given = { servers: { up: up.endpoint }, budgets: [budget({ calls: 1 })] };
    const log = (level: string, message: string) => void (level === 'warn' && told.push(message));
    await using gateway = await start(given, { budgets: store, log });
    expect(told).toEqual([expect.stringContaining('all begin anew')]);
    expect((await ask(gateway.url, 'tools/call', echo())).status).toBe(200);
    expect(gateway.budgets()).toMatchObject([{ used: { calls: 1 } }]);
  });

  test('a file that was cut off is told of too, and kept aside', async () => {
    await using up = await socketUpstream('up');
    using dir = tempDir();
    writeFileSync(dir.at('budgets.json'), '{"accounts":{"al');
    const told: string[] = [];
    const given = { servers: { up: up.endpoint }, budgets: [budget({ calls: 1 })] };
    const log = (level: string, message: string) => void (level === 'warn' && told.push(message));
    await using _ = await start(given, { budgets: storeFile(dir.at('budgets.json')), log });
    expect(told).toEqual([expect.stringContaining('all begin anew')]);
    expect(readFileSync(dir.at('budgets.json.unreadable'), 'utf8')).toContain('"al');
  });

  test('a window in it that nobody can read is forgotten, and the others are kept', async () => {
    await using up = await socketUpstream('up');
    const month = { period: 'month', timeZone: 'UTC' } as const;
    const parts = [{ end: spanOf('month', 'UTC', Date.now()).end, calls: 2, tokens: 0, cost: 0 }];
    const kept = { window: JSON.stringify(month), parts, warned: false };
    const odd = { ...kept, window: 'month' };
    const nowhere = { ...kept, window: JSON.stringify({ ...month, timeZone: 'Mars/Olympus' }) };
    const accounts = { 'agents token:odd': odd, 'agents token:nowhere': nowhere, 'agents token:ada': kept };
    const written: string[] = [];
    const store = {
      read: () => ({ formatVersion: 1, accounts }),
      write: async (json: string) => void written.push(json),
    };
    {
      const given = { servers: { up: up.endpoint }, budgets: [budget({ calls: 9, per: 'principal' })] };
      await using gateway = await start(given, { budgets: store });
      await ask(gateway.url, 'tools/call', echo());
    }
    const saved = JSON.parse(written.at(-1) ?? '') as { accounts: object };
    expect(Object.keys(saved.accounts).toSorted()).toEqual(['agents local', 'agents token:ada']);
  });
});
