/** A modern client in front of a legacy server: what the server asks becomes a result, and the call waits for the retry. */
import { expect, test, vi } from 'vitest';
import { PARKING_TIME } from '../../gateway/sessions/parked.ts';
import { principal, snapshot, start, type Raw } from './helpers/gateway.ts';
import { ask, modernClient, type By } from './helpers/modern.ts';
import { httpUpstream, socketUpstream, type Upstream } from './helpers/upstreams.ts';

const kinds: Record<string, (name: string) => Promise<Upstream>> = {
  socket: (name) => socketUpstream(name, { all: true }),
  http: (name) => httpUpstream(name, { all: true, stream: true }),
};

const ALL = { sampling: { tools: {} }, elicitation: { form: {}, url: {} }, roots: {} };

const question = (method: string, params: object = {}, more: object = {}) => ({
  name: 'up__ask',
  arguments: { method, params, ...more },
});

/** What the tool tells of the client's reply. */
const replyIn = (result: unknown): unknown =>
  JSON.parse((result as { content: { text: string }[] }).content[0]?.text ?? '');

interface Asks {
  resultType: string;
  inputRequests: Record<string, { method: string; params: Record<string, unknown> }>;
  requestState: string;
}

const asksIn = ({ json }: Raw): Asks => json.result as unknown as Asks;
const ROOTS = { roots: [{ uri: 'file:///work' }] };

for (const [kind, open] of Object.entries(kinds)) {
  test(`elicitation, sampling and roots of a legacy server reach a modern client, and its answers get back (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    await using sdk = await modernClient(`${gateway.url}/mcp`, { capabilities: ALL });
    const model = { model: 'm', role: 'assistant' as const, content: { type: 'text' as const, text: 'hi' } };
    sdk.setRequestHandler('sampling/createMessage', ({ params }) => ({
      ...model,
      stopReason: String(params.maxTokens),
    }));
    sdk.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
    sdk.setRequestHandler('roots/list', () => ROOTS);
    const reply = async (method: string, params: object) => replyIn(await sdk.callTool(question(method, params)));
    const messages = [{ role: 'user', content: { type: 'text', text: 'hello' } }];
    expect(await reply('sampling/createMessage', { messages, maxTokens: 9 })).toEqual({
      result: { ...model, stopReason: '9' },
    });
    const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } };
    expect(await reply('elicitation/create', { message: 'Who?', requestedSchema })).toEqual({
      result: { action: 'accept', content: { name: 'Ada' } },
    });
    expect(await reply('roots/list', {})).toEqual({ result: ROOTS });
  });

  test(`a client that cannot be asked is not asked, and one that leaves an answer out is asked again (${kind})`, async () => {
    await using up = await open('up');
    await using gateway = await start({ servers: { up: up.endpoint } });
    const call = question('roots/list', { _meta: { progressToken: 'its own' } });
    const bare = await ask(gateway.url, 'tools/call', call);
    expect(replyIn(bare.json.result)).toMatchObject({ error: { code: -32_601 } });
    const by = { capabilities: ALL };
    const first = asksIn(await ask(gateway.url, 'tools/call', call, by));
    expect(first).toMatchObject({
      resultType: 'input_required',
      inputRequests: { q1: { method: 'roots/list', params: {} } },
    });
    const retry = (asked: Asks, inputResponses: unknown) =>
      ask(gateway.url, 'tools/call', { ...call, requestState: asked.requestState, inputResponses }, by);
    const second = asksIn(await retry(first, { other: {} }));
    const third = asksIn(await retry(second, { q1: 12_345 }));
    expect(third.inputRequests).toEqual(first.inputRequests);
    const done = await retry(third, { q1: ROOTS, more: {} });
    expect(done.json.result).toMatchObject({ resultType: 'complete' });
    expect(replyIn(done.json.result)).toEqual({ result: ROOTS });
  });
}

test('state tampering, replay, another principal, another route, another request: none of them gets at the call', async () => {
  await using up = await socketUpstream('up', { all: true });
  const principals = [principal('ada', 'sesame'), principal('eve', 'thief')];
  await using gateway = await start({ servers: { up: up.endpoint }, principals });
  const call = question('roots/list');
  const by: By = { capabilities: ALL, token: 'sesame' };
  const { requestState } = asksIn(await ask(gateway.url, 'tools/call', call, by));
  const retry = (change: object, other: By = {}, state: unknown = requestState) =>
    ask(
      gateway.url,
      'tools/call',
      { ...call, requestState: state, inputResponses: { q1: ROOTS }, ...change },
      { ...by, ...other },
    );
  const refused = async (answer: Promise<Raw>) => {
    const { json } = await answer;
    expect(json.error).toEqual({ code: -32_602, message: 'The requestState is not valid here, or not any more' });
  };
  await refused(retry({}, {}, `${requestState.slice(0, -2)}xx`));
  await refused(retry({}, {}, `${requestState}-TAMPERED`.slice(4)));
  await refused(retry({}, {}, 7));
  await refused(retry({}, { token: 'thief' }));
  await refused(retry({}, { path: '/projects/dev/mcp' }));
  await refused(retry({ arguments: { method: 'sampling/createMessage', params: {} } }));
  await refused(ask(gateway.url, 'prompts/get', { name: 'up__greet', requestState }, by));
  // None of that has used it up.
  expect(replyIn((await retry({})).json.result)).toEqual({ result: ROOTS });
  await refused(retry({}));
});

test('an expired handle opens nothing, and the call it stood for has been cancelled', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const call = question('roots/list');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  try {
    const { requestState } = asksIn(await ask(gateway.url, 'tools/call', call, { capabilities: ALL }));
    vi.advanceTimersByTime(PARKING_TIME + 1);
    await up.saw('notifications/cancelled');
    const late = await ask(
      gateway.url,
      'tools/call',
      { ...call, requestState, inputResponses: { q1: ROOTS } },
      { capabilities: ALL },
    );
    expect(late.json.error?.code).toBe(-32_602);
  } finally {
    vi.useRealTimers();
  }
});

test('a waiting call survives a swap that takes its server away', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const by = { capabilities: ALL };
  const call = question('roots/list');
  const first = asksIn(await ask(gateway.url, 'tools/call', call, by));
  await gateway.swap(snapshot({ servers: {} }));
  const done = await ask(
    gateway.url,
    'tools/call',
    { ...call, requestState: first.requestState, inputResponses: { q1: ROOTS } },
    by,
  );
  expect(replyIn(done.json.result)).toEqual({ result: ROOTS });
});

test('too many waiting calls are refused, not kept', async () => {
  await using up = await httpUpstream('up', { all: true, stream: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const asked = await Promise.all(
    Array.from({ length: 101 }, (_, n) =>
      ask(gateway.url, 'tools/call', question('roots/list', {}, { askId: `a${n}` }), { capabilities: ALL }),
    ),
  );
  const refused = asked.filter(({ json }) => json.error);
  expect(refused).toHaveLength(1);
  expect(refused[0]?.json.error?.message).toBe('Too many calls wait for an answer of their client.');
  await up.saw('notifications/cancelled');
});

test('a visit to a web page that a legacy call needs first is asked for, and the call made again', async () => {
  await using up = await socketUpstream('up', { all: true });
  await using gateway = await start({ servers: { up: up.endpoint } });
  const call = { name: 'up__visit', arguments: { elicitationId: 'e1' } };
  const asked = asksIn(await ask(gateway.url, 'tools/call', call, { capabilities: ALL }));
  expect(asked.inputRequests).toEqual({
    url1: { method: 'elicitation/create', params: { mode: 'url', message: 'Go', url: 'https://example.com' } },
  });
  const inputResponses = { url1: { action: 'accept' } };
  await ask(
    gateway.url,
    'tools/call',
    { ...call, requestState: asked.requestState, inputResponses },
    { capabilities: ALL },
  );
  const calls = up.seen.filter((message) => 'method' in message && message.method === 'tools/call');
  expect(calls.map((message) => 'params' in message && message.params)).toEqual([
    { name: 'visit', arguments: { elicitationId: 'e1' } },
    { name: 'visit', arguments: { elicitationId: 'e1' } },
  ]);
  const bare = await ask(gateway.url, 'tools/call', call);
  expect(bare.json.error?.code).toBe(-32_603);
});
