/** A script on its way: what ends it, what it may use up, and that what it may do is asked again. */
import { describe, expect, test } from 'vitest';
import type { AuditDraft } from '../../schemas/audit.ts';
import type { BudgetEntry } from '../../schemas/budgets.ts';
import type { Route, Snapshot } from '../../schemas/snapshot.ts';
import { ask, begin, modernClient } from '../gateway/helpers/modern.ts';
import { client, principal, raw, snapshot, start, type Wish } from '../gateway/helpers/gateway.ts';
import { httpUpstream, socketUpstream, type Upstream } from '../gateway/helpers/upstreams.ts';
import { eventually } from '../helpers/until.ts';
import { CODE_MODE } from './helpers/code-mode.ts';

const ROUTE = '/projects/p/mcp';

const wish = (up: Upstream, more: Partial<Wish> = {}, codeMode: Partial<typeof CODE_MODE> = {}): Snapshot =>
  snapshot({
    servers: { up: { endpoints: [up.endpoint], timeoutMs: 60_000 } },
    routes: {
      [ROUTE]: { project: 'p', servers: ['up'], separator: '__', codeMode: { ...CODE_MODE, ...codeMode } },
    },
    ...more,
  });

function auditing(): { drafts: AuditDraft[]; audit: { record(draft: AuditDraft): void; blocked: boolean } } {
  const drafts: AuditDraft[] = [];
  return { drafts, audit: { record: (draft) => void drafts.push({ ...draft }), blocked: false } };
}

const script = (text: string) => ({ name: 'run_script', arguments: { script: text } });
const textIn = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

/** It calls a tool that never answers, and computes besides. */
const HANGING = 'await tools.up.hang();';

describe('what ends it', () => {
  test.each([
    ['waits', HANGING],
    ['computes', 'await tools.up.who(); while (true) {}'],
  ])('a modern client that goes away, while it %s', async (_, text) => {
    await using up = await socketUpstream('up');
    const { drafts, audit } = auditing();
    await using gateway = await start(wish(up), { audit });
    const call = begin(gateway.url, 'tools/call', script(text), { path: ROUTE });
    call.on('error', () => {});
    await up.saw('tools/call');
    call.destroy();
    const ended = await eventually(() => drafts.find(({ kind }) => kind === 'script_execution'));
    expect(ended).toMatchObject({ outcome: 'cancelled', detail: { calls: 1 } });
    if (text === HANGING) await up.saw('notifications/cancelled');
  });

  test('a legacy client that takes it back', async () => {
    await using up = await socketUpstream('up');
    const { drafts, audit } = auditing();
    await using gateway = await start(wish(up), { audit });
    await using sdk = await client(`${gateway.url}${ROUTE}`);
    const stop = new AbortController();
    const called = sdk.callTool(script(HANGING), undefined, { signal: stop.signal });
    await up.saw('tools/call');
    stop.abort();
    await expect(called).rejects.toThrow();
    await up.saw('notifications/cancelled');
    expect(await eventually(() => drafts.find(({ kind }) => kind === 'script_execution'))).toMatchObject({
      outcome: 'cancelled',
    });
  });

  test('a shutdown, which does not wait for one that only computes', async () => {
    await using up = await socketUpstream('up');
    const gateway = await start(wish(up, { gateway: { shutdownTimeoutMs: 200 } }));
    const answer = ask(gateway.url, 'tools/call', script('await tools.up.who(); while (true) {}'), { path: ROUTE });
    await up.saw('tools/call');
    const began = performance.now();
    await gateway[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(15_000);
    expect((await answer).json).toMatchObject({ error: {} });
  });
});

test('the gateway answers others while scripts compute', async () => {
  await using up = await socketUpstream('up');
  await using gateway = await start(wish(up, {}, { cpuMs: 2_000 }));
  const busy = [1, 2].map((id) => ask(gateway.url, 'tools/call', script('while (true) {}'), { path: ROUTE, id }));
  await using sdk = await client(`${gateway.url}/mcp`);
  for (let at = 0; at < 10; at++) expect(textIn(await sdk.callTool({ name: 'up__who' }))).toBe('up');
  let over = 0;
  for (const one of busy) void one.then(() => over++);
  expect(over).toBe(0);
  for (const { json } of await Promise.all(busy)) expect(textIn(json.result)).toContain('it computed more than');
  const metrics = await raw(gateway.url, { path: '/metrics' });
  expect(metrics.text).toContain('slipway_gateway_scripts_total{outcome="timeout"} 2');
  expect(metrics.text).toContain('slipway_gateway_script_duration_seconds_count 2');
});

describe('what it may use up', () => {
  test('each call counts against rates, and what is refused is told to the script', async () => {
    await using up = await socketUpstream('up');
    const { drafts, audit } = auditing();
    const limits: Snapshot['limits'] = { perPrincipal: { rate: { perSecond: 0.001, burst: 5 } } };
    await using gateway = await start(wish(up, { limits }), { audit });
    const text = `
      const said = [];
      for (let i = 0; i < 8; i++) await tools.up.who().then((it) => said.push(it), ({ message }) => said.push(message));
      return said;`;
    const { json } = await ask(gateway.url, 'tools/call', script(text), { path: ROUTE });
    const said = JSON.parse(textIn(json.result)) as string[];
    expect(said.filter((one) => one === 'up')).toHaveLength(4);
    expect(said.at(-1)).toContain('allows no more requests just now');
    const refused = drafts.filter(({ kind }) => kind === 'limit');
    expect(refused.map(({ deniedReason, method }) => [deniedReason, method])).toEqual(
      Array.from({ length: 4 }, () => ['rate-limited', 'tools/call']),
    );
  });

  test('calls at once are requests at once: what is more than the limit allows waits, and a large one is refused', async () => {
    await using up = await socketUpstream('up');
    const { audit, drafts } = auditing();
    const limits: Snapshot['limits'] = { perPrincipal: { concurrency: 1, bodyBytes: 1_500 } };
    await using gateway = await start(wish(up, { limits }), { audit });
    const text = `
      const all = await Promise.all([1, 2, 3, 4].map(() => tools.up.who()));
      const large = await tools.up.who({ a: 'x'.repeat(2000) }).catch(({ message }) => message);
      return [...all, large];`;
    const { json } = await ask(gateway.url, 'tools/call', script(text), { path: ROUTE });
    const said = JSON.parse(textIn(json.result)) as string[];
    expect(said).toEqual(['up', 'up', 'up', 'up', expect.stringContaining('over the limit')]);
    const refused = drafts.filter(({ kind }) => kind === 'limit');
    expect(refused.map(({ deniedReason }) => deniedReason)).toEqual(['body-too-large']);
    expect(up.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toHaveLength(4);
  });

  test('each call counts against budgets, whose words reach the client', async () => {
    await using up = await socketUpstream('up');
    const budget: BudgetEntry = {
      name: 'few',
      principals: [],
      groups: [],
      routes: [],
      per: 'all',
      window: { slidingMs: 3_600_000 },
      calls: 4,
      prices: [],
      warnAt: 0.5,
      enforce: true,
    };
    await using gateway = await start(wish(up, { budgets: [budget] }));
    const text = `
      const said = [];
      for (let i = 0; i < 6; i++) await tools.up.who().then((it) => said.push(it), ({ message }) => said.push(message));
      return said;`;
    const { json } = await ask(gateway.url, 'tools/call', script(text), { path: ROUTE });
    const said = JSON.parse(textIn(json.result)) as string[];
    expect(said.slice(0, 4)).toEqual(['up', 'up', 'up', 'up']);
    expect(said[4]).toContain('few');
    expect(json.result?.['_meta']).toMatchObject({ 'slipway/budgets': [{ budget: 'few' }] });
  });
});

describe('a person who is asked', () => {
  const QUESTION = `await tools.up.ask({ method: 'elicitation/create', params: {
    message: 'Who?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } } } } })`;
  const ACCEPTED = { action: 'accept', content: { name: 'Ada' } };
  const capabilities = { elicitation: { form: {} } };
  type Asks = { inputRequests?: Record<string, unknown>; requestState?: string };
  const answerTo = ({ inputRequests = {}, requestState }: Asks) => ({
    requestState,
    inputResponses: Object.fromEntries(Object.keys(inputRequests).map((key) => [key, ACCEPTED])),
  });

  test('may think longer than the script may run, in both eras', async () => {
    await using up = await socketUpstream('up', { all: true });
    await using gateway = await start(wish(up, {}, { timeoutMs: 1_500 }));
    const slowly = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_700));
      return ACCEPTED;
    };
    const { ElicitRequestSchema } = await import('@modelcontextprotocol/sdk/types.js');
    await using legacy = await client(`${gateway.url}${ROUTE}`, undefined, capabilities);
    legacy.setRequestHandler(ElicitRequestSchema, slowly as () => Promise<{ action: 'accept' }>);
    await using modern = await modernClient(`${gateway.url}${ROUTE}`, { capabilities });
    modern.setRequestHandler('elicitation/create', slowly as () => Promise<{ action: 'accept' }>);
    const text = `return (${QUESTION}).result;`;
    const answers = [await legacy.callTool(script(text)), await modern.callTool(script(text))];
    for (const answer of answers) expect(JSON.parse(textIn(answer))).toEqual(ACCEPTED);
  });

  test('who cannot be asked is not, and the script is told', async () => {
    await using up = await socketUpstream('up', { all: true });
    await using gateway = await start(wish(up));
    await using legacy = await client(`${gateway.url}${ROUTE}`);
    await using modern = await modernClient(`${gateway.url}${ROUTE}`);
    const text = `return [(${QUESTION}).error.message];`;
    const answers = [await legacy.callTool(script(text)), await modern.callTool(script(text))];
    for (const answer of answers) expect(JSON.parse(textIn(answer))).toEqual([expect.stringContaining('elicitation')]);
  });

  test('keeps a thread meanwhile, of which nobody has all; who waits too long for one is told', async () => {
    await using up = await httpUpstream('up', { all: true, stream: true });
    const { drafts, audit } = auditing();
    const principals = [principal('ci', 'secret'), principal('other', 'geheim')];
    await using gateway = await start(wish(up, { principals }, { timeoutMs: 3_000 }), { audit });
    const by = { path: ROUTE, token: 'secret', capabilities };
    const call = script(`return (${QUESTION}).result.action;`);
    const asked = [];
    for (let at = 0; at < 3; at++) asked.push((await ask(gateway.url, 'tools/call', call, by)).json.result as Asks);
    const fourth = await ask(gateway.url, 'tools/call', script('return 1;'), by);
    expect(JSON.stringify(fourth.json)).toContain('Too many scripts');
    const other = await ask(gateway.url, 'tools/call', script('return 1;'), { ...by, token: 'geheim' });
    expect(textIn(other.json.result)).toBe('1');
    for (const one of asked) {
      const done = await ask(gateway.url, 'tools/call', { ...call, ...answerTo(one) }, by);
      expect(textIn(done.json.result)).toBe('accept');
    }
    const events = drafts.filter(({ kind, detail }) => kind === 'script_execution' && detail?.['calls'] === 1);
    expect(events).toHaveLength(3);
  });

  const deny = { file: 'up.yaml', line: 1, rules: [{ pattern: 'who', action: 'deny', file: 'up.yaml', line: 2 }] };
  const onRoute = (more: Partial<Route>): Partial<Wish> => ({
    routes: { [ROUTE]: { project: 'p', servers: ['up'], separator: '__', codeMode: CODE_MODE, ...more } },
  });
  test.each<[string, Partial<Wish>]>([
    ['denies the tool', { access: { servers: { up: deny } } } as Partial<Wish>],
    [
      'denies it, and has it called otherwise',
      { access: { servers: { up: deny } }, ...onRoute({ separator: '-' }) } as Partial<Wish>,
    ],
    ['hides it', onRoute({ overrides: { up: { hide: ['who'] } } })],
    ['takes code mode away', onRoute({ codeMode: undefined })],
  ])('stale rights: a commit that %s does so for the script that runs, too', async (_what, commit) => {
    await using up = await socketUpstream('up', { all: true });
    const principals = [principal('ci', 'secret')];
    await using gateway = await start(wish(up, { principals }));
    const by = { path: ROUTE, token: 'secret', capabilities };
    const text = `${QUESTION}; return tools.up.who().then(() => ['open'], ({ message }) => [message]);`;
    const asked = await ask(gateway.url, 'tools/call', script(text), by);
    await gateway.swap(wish(up, { principals, ...commit }));
    const answered = { ...script(text), ...answerTo(asked.json.result as Asks) };
    const done = await ask(gateway.url, 'tools/call', answered, by);
    expect(JSON.stringify(done.json)).not.toContain('open');
    expect(up.seen.filter((message) => 'method' in message && message.method === 'tools/call')).toHaveLength(1);
  });
});
