/** Language models, asked over HTTP as their providers speak: what they answer, and what is done when they do not. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Llms } from '../../gateway/llm/llm.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { LlmEntry } from '../../schemas/llm.ts';
import { Models, type Answering } from '../helpers/models.ts';
import { eventually } from '../helpers/until.ts';

const KEY = 'sk-not-for-logs-4711';

let models: Models;
let llms: Llms;
let key: string;
let logged: string[];
beforeEach(async () => {
  models = await Models.start();
  key = KEY;
  logged = [];
  llms = new Llms({
    secrets: () => Promise.resolve(key),
    log: (level, message, fields) => {
      if (level !== 'debug') logged.push(`${level} ${message} ${JSON.stringify(fields)}`);
    },
  });
});
afterEach(async () => {
  llms[Symbol.dispose]();
  await models[Symbol.asyncDispose]();
  expect(JSON.stringify([llms.statuses(), logged])).not.toContain(KEY);
});

const entry = (name: string, more: Partial<LlmEntry> = {}): LlmEntry => ({
  name,
  type: 'openai-compatible',
  model: `${name}-1`,
  url: `${models.url}/v1`,
  publicOnly: false,
  apiKey: { secret: 'keys', key: name, from: { env: 'KEY' } },
  isDefault: false,
  timeoutMs: 20_000,
  maxOutputTokens: 100,
  maxConcurrent: 4,
  ...more,
});

const ask = (prompt: string, more: Partial<Parameters<Llms['complete']>[0]> = {}): Promise<string | undefined> =>
  llms.complete({ purpose: 'test', prompt, tier: 'fast', signal: AbortSignal.timeout(60_000), ...more });

const statusOf = (name: string) => llms.statuses().find((status) => status.name === name);

describe('each provider is spoken to as it wants', () => {
  test.each([
    ['openai', '/v1', '/v1/responses', { authorization: `Bearer ${KEY}` }, { max_output_tokens: 100, store: false }],
    ['anthropic', '/v1', '/v1/messages', { 'x-api-key': KEY, 'anthropic-version': '2023-06-01' }, { max_tokens: 100 }],
    [
      'google',
      '/v1beta',
      '/v1beta/models/it-1:generateContent',
      { 'x-goog-api-key': KEY },
      { generationConfig: { maxOutputTokens: 100 } },
    ],
    ['azure', '/openai', '/openai/chat/completions', { 'api-key': KEY }, { max_tokens: 100 }],
    ['ollama', '/v1/', '/v1/chat/completions', { authorization: `Bearer ${KEY}` }, { max_tokens: 100, model: 'it-1' }],
    ['openrouter', '/v1', '/v1/chat/completions', { authorization: `Bearer ${KEY}` }, { max_tokens: 100 }],
  ] as const)('%s', async (type, base, path, headers, body) => {
    llms.configure([entry('it', { type, url: models.url + base, isDefault: true })]);
    expect(await ask('apples', { system: 'Be brief.' })).toBe('about apples');
    expect(models.asked).toMatchObject([{ path, headers, body, system: 'Be brief.', prompt: 'apples' }]);
    expect(statusOf('it')).toMatchObject({ state: 'ok', calls: 1, errors: 0, inputTokens: 30, outputTokens: 5 });
  });

  test('headers of the config go along, and without a key none is sent, wherever one may lie', async () => {
    process.env['OPENAI_API_KEY'] = KEY;
    onTestFinished(() => void delete process.env['OPENAI_API_KEY']);
    const { apiKey: _, ...keyless } = entry('it', {
      type: 'openai',
      headers: [
        { name: 'X-Team', value: 'platform' },
        { name: 'X-Door', value: { secret: 'keys', key: 'door', from: { env: 'DOOR' } } },
      ],
    });
    llms.configure([keyless]);
    expect(await ask('pears')).toBe('about pears');
    expect(models.asked[0]?.headers).toMatchObject({ 'x-team': 'platform', 'x-door': KEY });
    expect(models.asked[0]?.headers).not.toHaveProperty('authorization');
  });

  test('a key that changes where it lies is in force with the next question', async () => {
    llms.configure([entry('it')]);
    await ask('one');
    key = 'sk-rotated';
    await ask('two');
    expect(models.asked.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`, 'Bearer sk-rotated']);
  });
});

describe('what does not answer is done without', () => {
  const soon = { 'retry-after-ms': '1' };
  const cases: [string, Answering, RegExp, number][] = [
    [
      'a key that is refused',
      () => ({ status: 401, body: `{"error":{"message":"bad key ${KEY}"}}` }),
      /^It answered 401: the key is refused\.$/,
      1,
    ],
    ['a key that may not', () => ({ status: 403 }), /^It answered 403: /, 1],
    ['no such model', () => ({ status: 404, body: 'not found' }), /^It answered 404: there is no such model/, 1],
    ['too many requests', () => ({ status: 429, headers: soon }), /^It answered 429: too many requests/, 3],
    ['a broken server', () => ({ status: 500, headers: soon, body: '<html>' }), /^It answered 500: it is broken/, 3],
    ['no JSON', () => ({ status: 200, body: `surely not JSON ${KEY}` }), /^It answered what cannot be read\.$/, 1],
    ['other JSON', () => ({ status: 200, body: '{"choices":[]}' }), /^It answered what cannot be read\.$|no text/, 1],
    ['an empty text', () => '  ', /^Its answer has no text \(stop\)\.$/, 1],
    ['half an answer', () => 'half', /connection to the server broke/, 1],
    ['another address', () => ({ status: 307, headers: { location: 'http://127.0.0.1:1/v1' } }), /^It answered 307/, 1],
    ['an endless answer', () => ({ status: 200, body: ' '.repeat(9 * 1024 * 1024) }), /cannot be read/, 1],
  ];
  test.each(cases)('%s', async (_, answering, error, times) => {
    llms.configure([entry('it')]);
    models.answering = answering;
    expect(await ask('x')).toBeUndefined();
    expect(statusOf('it')).toMatchObject({
      state: 'failing',
      calls: 1,
      errors: 1,
      lastError: expect.stringMatching(error),
    });
    expect(models.asked).toHaveLength(times);
    expect(await ask('y')).toBeUndefined();
    expect(logged).toEqual([expect.stringMatching(/^warn a language model does not answer: /)]);
    models.answering = () => 'well';
    expect(await ask('z')).toBe('well');
    expect(logged).toEqual([expect.any(String), 'info a language model answers again {"provider":"it"}']);
    expect(statusOf('it')).toMatchObject({ state: 'ok', calls: 3, errors: 2 });
  });

  test('one that is silent is given up in time, and left alone', async () => {
    llms.configure([entry('it', { timeoutMs: 200 })]);
    models.answering = () => 'silence';
    expect(await ask('x')).toBeUndefined();
    expect(statusOf('it')).toMatchObject({ state: 'failing', lastError: 'It did not answer within 0.2 s.' });
    await models.asked[0]?.closed;
  });

  test('nobody at the address, and a secret that cannot be had', async () => {
    llms.configure([entry('gone', { url: 'http://127.0.0.1:9/v1', tier: 'fast' })]);
    expect(await ask('x')).toBeUndefined();
    expect(statusOf('gone')?.lastError).toBe('The server cannot be reached.');
    using keyless = new Llms({
      secrets: () => Promise.reject(new SlipwayError('secret-unavailable', 'Secret keys, key it: it is not set.')),
      log: () => {},
    });
    keyless.configure([entry('it')]);
    const wish = { purpose: 'test', prompt: 'x', tier: 'fast', signal: AbortSignal.timeout(60_000) } as const;
    expect(await keyless.complete(wish)).toBeUndefined();
    expect(keyless.statuses()[0]?.lastError).toBe('Secret keys, key it: it is not set.');
    expect(models.asked).toEqual([]);
  });

  test('a private address that the config did not allow is never asked (SSRF)', async () => {
    llms.configure([entry('it', { publicOnly: true }), entry('keyless', { publicOnly: true, apiKey: undefined })]);
    expect(await ask('x', { provider: 'it' })).toBeUndefined();
    expect(await ask('x', { provider: 'keyless' })).toBeUndefined();
    expect(statusOf('it')?.lastError).toContain('is not https');
    expect(statusOf('keyless')?.lastError).toContain('privateNetwork: true');
    expect(models.asked).toEqual([]);
  });

  test('what fails again and again is not asked for a while, and the next in line is', async () => {
    llms.configure([entry('bad', { tier: 'fast' }), entry('good', { isDefault: true })]);
    models.answering = ({ body }) => (body['model'] === 'bad-1' ? { status: 401 } : 'well');
    for (const prompt of ['1', '2', '3', '4', '5', '6', '7']) expect(await ask(prompt)).toBe('well');
    expect(models.asked.filter(({ body }) => body['model'] === 'bad-1')).toHaveLength(5);
    expect(statusOf('bad')).toMatchObject({ breaker: 'open', errors: 5 });
    const counted = llms.families().flatMap(({ name, values }) => values.map((value) => ({ name, ...value })));
    for (const [name, labels, value] of [
      ['slipway_llm_calls_total', { provider: 'bad', outcome: 'refused' }, 2],
      ['slipway_llm_calls_total', { provider: 'good', outcome: 'ok' }, 7],
      ['slipway_llm_tokens_total', { provider: 'good', direction: 'input' }, 210],
      ['slipway_llm_failing', { provider: 'bad' }, 1],
    ] as const)
      expect(counted).toContainEqual({ name, labels, value });
    // Who asks by hand wants to know now.
    models.answering = () => 'OK';
    expect(await llms.check(['bad'], AbortSignal.timeout(60_000))).toMatchObject([{ name: 'bad', ok: true }]);
    await expect(llms.check(['none'], AbortSignal.timeout(60_000))).rejects.toThrow('There is no LlmProvider none.');
  });

  test('a question that it refuses says nothing of how it is doing for others', async () => {
    llms.configure([entry('it')]);
    models.answering = ({ prompt }) => (prompt === 'long' ? { status: 413 } : 'well');
    for (let at = 0; at < 6; at++) expect(await ask('long')).toBeUndefined();
    expect(await ask('short')).toBe('well');
  });
});

describe('which one is asked', () => {
  const asked = (): unknown[] => models.asked.splice(0).map(({ body }) => body['model']);

  test('by name, else by tier, else another tier, else the default', async () => {
    const [fast, heavy] = [entry('fast', { tier: 'fast' }), entry('heavy', { tier: 'heavy' })];
    const [rest, named] = [entry('rest', { isDefault: true }), entry('named')];
    llms.configure([named, rest, heavy, fast]);
    for (const wish of [{}, { tier: 'heavy' }, { provider: 'named' }] as const) await ask('x', wish);
    expect(asked()).toEqual(['fast-1', 'heavy-1', 'named-1']);
    expect(llms.modelFor({ tier: 'fast' })).toBe('fast--fast-1');
    llms.configure([named, rest, heavy]);
    await ask('y');
    llms.configure([named, rest]);
    await ask('z');
    expect(asked()).toEqual(['heavy-1', 'rest-1']);
    // One that is there alone is meant for all, unless a name is given.
    llms.configure([named]);
    await ask('a');
    expect(await ask('a', { provider: 'gone' })).toBeUndefined();
    expect(asked()).toEqual(['named-1']);
    llms.configure([]);
    expect([await ask('x'), llms.modelFor({ tier: 'fast' }), llms.statuses()]).toEqual([undefined, undefined, []]);
  });

  test('what a route may not tell others is told to nobody else, even when its own fails', async () => {
    llms.configure([entry('ours'), entry('theirs', { isDefault: true, tier: 'fast' })]);
    const choice = { fast: 'ours' };
    await ask('x', { choice });
    await ask('x', { choice, tier: 'heavy' });
    await ask('x', { choice, provider: 'theirs' });
    expect(new Set(asked())).toEqual(new Set(['ours-1']));
    models.answering = () => ({ status: 500, headers: { 'retry-after-ms': '1' } });
    expect(await ask('y', { choice })).toBeUndefined();
    expect(new Set(asked())).toEqual(new Set(['ours-1']));
  });

  test('providers that a new config leaves as they are go on; one that is gone may end what it began', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    models.answering = () => promise.then(() => 'late');
    llms.configure([entry('one'), entry('two')]);
    const both = [ask('x', { provider: 'one' }), ask('x', { provider: 'two' })];
    await eventually(() => models.asked.length === 2);
    llms.configure([entry('one')]);
    resolve();
    expect(await Promise.all(both)).toEqual(['late', 'late']);
    expect(llms.statuses()).toMatchObject([{ name: 'one', calls: 1 }]);
  });
});

describe('no more than needed', () => {
  test('the same question is asked once at a time; one who goes away takes it from nobody', async () => {
    llms.configure([entry('it')]);
    const { promise, resolve } = Promise.withResolvers<void>();
    models.answering = () => promise.then(() => 'shared');
    const leaving = new AbortController();
    const asking = [ask('x'), ask('x'), ask('x', { signal: leaving.signal })];
    await eventually(() => models.asked.length === 1);
    leaving.abort(new Error('gone'));
    await expect(asking[2]).rejects.toThrow('gone');
    resolve();
    expect(await Promise.all(asking.slice(0, 2))).toEqual(['shared', 'shared']);
    expect(models.asked).toHaveLength(1);
    expect(statusOf('it')).toMatchObject({ calls: 1, inFlight: 0 });
  });

  test('when all have gone, so has the request; that is no failure', async () => {
    llms.configure([entry('it')]);
    models.answering = () => 'silence';
    const leaving = new AbortController();
    const asking = ask('x', { signal: leaving.signal });
    await eventually(() => models.asked.length === 1);
    leaving.abort(new Error('gone'));
    await expect(asking).rejects.toThrow('gone');
    await models.asked[0]?.closed;
    await eventually(() => statusOf('it')?.inFlight === 0);
    expect(statusOf('it')).toMatchObject({ state: 'unknown', errors: 0 });
    await expect(ask('x', { signal: leaving.signal })).rejects.toThrow('gone');
  });

  test('only so many run at the same time; the others wait', async () => {
    llms.configure([entry('it', { maxConcurrent: 2 })]);
    const { promise, resolve } = Promise.withResolvers<void>();
    models.answering = ({ prompt }) => promise.then(() => prompt);
    const all = ['1', '2', '3', '4', '5', '6'].map((prompt) => ask(prompt));
    await eventually(() => models.running === 2);
    resolve();
    expect(await Promise.all(all)).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(models.most).toBe(2);
  });

  test('who waits for a place does not make it slow: time runs from when it is asked', async () => {
    llms.configure([entry('it', { maxConcurrent: 1, timeoutMs: 2_000 })]);
    models.answering = ({ prompt }) => delay(500, prompt);
    const all = ['1', '2', '3', '4', '5', '6'];
    expect(await Promise.all(all.map((prompt) => ask(prompt)))).toEqual(all);
    expect(statusOf('it')).toMatchObject({ state: 'ok', errors: 0 });
  });

  test('beyond those that may wait, one is sent away, and that is no failure', async () => {
    llms.configure([entry('it', { maxConcurrent: 1 })]);
    models.answering = () => 'silence';
    const leaving = new AbortController();
    const waiting = Array.from({ length: 257 }, (_, at) =>
      ask(String(at), { signal: leaving.signal }).catch(() => 'gone'),
    );
    expect(await ask('one more')).toBeUndefined();
    expect(statusOf('it')).toMatchObject({ state: 'unknown', errors: 0, inFlight: 1 });
    leaving.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['gone']));
    models.answering = () => 'well';
    expect(await ask('again')).toBe('well');
  });
});
