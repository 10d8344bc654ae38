/** The whole program: limits and budgets by commit, in force at once, told by the CLI, and known again after a kill. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { resource, server } from '../helpers/config.ts';
import { Desk } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';
import { session } from '../gateway/helpers/gateway.ts';

test('a budget outlives a kill; a limit of the next commit is in force at once, and is found in the audit log', async () => {
  await using desk = new Desk();
  const budget = resource('Budget', 'agents', { per: 'principal', window: 'month', calls: 4 });
  desk.push({ 'a.yaml': server('tiny', 'good', ['v1']), 'b.yaml': budget });
  const first = await desk.up();
  const call = { name: 'tiny__version' };
  const mine = await session(await first.serving);
  // On a busy machine the gateway can be there before the server is; what is not there costs nothing.
  await eventually(async () => (await mine.rpc('tools/list')).text.includes('tiny__version'));
  for (let n = 0; n < 2; n++)
    expect((await mine.rpc('tools/call', call)).json.result?.['content']).toEqual([{ type: 'text', text: 'v1' }]);
  const told = async (...args: string[]): Promise<string> =>
    (await desk.slipway([...args, '--state-dir', desk.state])).out;
  expect(await told('get', 'budgets')).toMatch(/^NAME +OF +CALLS .*\nagents +local +2\/4 +- +- +50 % +ok /);
  expect(await told('describe', 'budget', 'agents')).toMatch(/Usage\n(.*\n)+.*agents +local +2\/4/);
  expect(await told('get', 'budgets', '-o', 'yaml')).toContain('per: principal');
  // What a kill may cost is a second; after that it is written.
  await eventually(() => readFileSync(`${desk.state}/budgets.json`, 'utf8').includes('"calls":2'));
  await first.kill();

  const again = await desk.up();
  const url = await again.serving;
  const later = await session(url);
  await eventually(async () => (await later.rpc('tools/list')).text.includes('tiny__version'));
  await later.rpc('tools/call', call);
  const { result } = (await later.rpc('tools/call', call)).json;
  expect(result?.['_meta']).toMatchObject({ 'slipway/budgets': [{ budget: 'agents', share: 1 }] });
  const over = await later.rpc('tools/call', call);
  expect(over.json.result).toMatchObject({ isError: true, _meta: { 'slipway/policy': 'budget' } });

  const limits = { perPrincipal: { rate: { perSecond: 0.001, burst: 1 } } };
  desk.push({ 'g.yaml': resource('Gateway', 'main', { limits }) });
  expect((await desk.sync()).code).toBe(0);
  expect((await later.rpc('ping')).status).toBe(200);
  expect((await later.rpc('ping')).status).toBe(429);
  const audited = await desk.slipway([
    'audit',
    'query',
    '--outcome',
    'denied',
    '-o',
    'json',
    '--state-dir',
    desk.state,
    '--repo',
    desk.remote,
  ]);
  expect(JSON.parse(audited.out)).toMatchObject([
    { kind: 'limit', deniedReason: 'rate-limited', detail: { limit: { level: 'principal', name: 'local' } } },
    { kind: 'budget', deniedReason: 'budget-exhausted', detail: { limit: { level: 'budget', name: 'agents' } } },
  ]);
  // The control socket has no limits.
  expect(await told('get', 'budgets')).toContain('exhausted');
  expect((await again.stop()).code).toBe(0);
});
