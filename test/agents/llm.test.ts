/** Language models, asked over HTTP as their providers speak: what they answer, and what is done when they do not. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { Llms } from '../../gateway/llm/llm.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Answering } from '../helpers/models.ts';
import { modelScene, KEY } from './helpers/model-scene.ts';

const scene = modelScene();
const { ask, entry, statusOf } = scene;

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
    scene.llms.configure([entry('it', { type, url: scene.models.url + base, isDefault: true })]);
    expect(await ask('apples', { system: 'Be brief.' })).toBe('about apples');
    expect(scene.models.asked).toMatchObject([{ path, headers, body, system: 'Be brief.', prompt: 'apples' }]);
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
    scene.llms.configure([keyless]);
    expect(await ask('pears')).toBe('about pears');
    expect(scene.models.asked[0]?.headers).toMatchObject({ 'x-team': 'platform', 'x-door': KEY });
    expect(scene.models.asked[0]?.headers).not.toHaveProperty('authorization');
  });

  test('a key that changes where it lies is in force with the next question', async () => {
    scene.llms.configure([entry('it')]);
    await ask('one');
    scene.key = 'sk-rotated';
    await ask('two');
    expect(scene.models.asked.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${KEY}`,
      'Bearer sk-rotated',
    ]);
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
    scene.llms.configure([entry('it')]);
    scene.models.answering = answering;
    expect(await ask('x')).toBeUndefined();
    expect(statusOf('it')).toMatchObject({
      state: 'failing',
      calls: 1,
      errors: 1,
      lastError: expect.stringMatching(error),
    });
    expect(scene.models.asked).toHaveLength(times);
    expect(await ask('y')).toBeUndefined();
    expect(scene.logged).toEqual([expect.stringMatching(/^warn a language model does not answer: /)]);
    scene.models.answering = () => 'well';
    expect(await ask('z')).toBe('well');
    expect(scene.logged).toEqual([expect.any(String), 'info a language model answers again {"provider":"it"}']);
    expect(statusOf('it')).toMatchObject({ state: 'ok', calls: 3, errors: 2 });
  });

  test('one that is silent is given up in time, and left alone', async () => {
    scene.llms.configure([entry('it', { timeoutMs: 200 })]);
    scene.models.answering = () => 'silence';
    expect(await ask('x')).toBeUndefined();
    expect(statusOf('it')).toMatchObject({ state: 'failing', lastError: 'It did not answer within 0.2 s.' });
    await scene.models.asked[0]?.closed;
  });

  test('nobody at the address, and a secret that cannot be had', async () => {
    scene.llms.configure([entry('gone', { url: 'http://127.0.0.1:9/v1', tier: 'fast' })]);
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
    expect(scene.models.asked).toEqual([]);
  });

  test('a private address that the config did not allow is never asked (SSRF)', async () => {
    scene.llms.configure([
      entry('it', { publicOnly: true }),
      entry('keyless', { publicOnly: true, apiKey: undefined }),
    ]);
    expect(await ask('x', { provider: 'it' })).toBeUndefined();
    expect(await ask('x', { provider: 'keyless' })).toBeUndefined();
    expect(statusOf('it')?.lastError).toContain('is not https');
    expect(statusOf('keyless')?.lastError).toContain('privateNetwork: true');
    expect(scene.models.asked).toEqual([]);
  });

  test('what fails again and again is not asked for a while, and the next in line is', async () => {
    scene.llms.configure([entry('bad', { tier: 'fast' }), entry('good', { isDefault: true })]);
    scene.models.answering = ({ body }) => (body['model'] === 'bad-1' ? { status: 401 } : 'well');
    for (const prompt of ['1', '2', '3', '4', '5', '6', '7']) expect(await ask(prompt)).toBe('well');
    expect(scene.models.asked.filter(({ body }) => body['model'] === 'bad-1')).toHaveLength(5);
    expect(statusOf('bad')).toMatchObject({ breaker: 'open', errors: 5 });
    const counted = scene.llms.families().flatMap(({ name, values }) => values.map((value) => ({ name, ...value })));
    for (const [name, labels, value] of [
      ['slipway_llm_calls_total', { provider: 'bad', outcome: 'refused' }, 2],
      ['slipway_llm_calls_total', { provider: 'good', outcome: 'ok' }, 7],
      ['slipway_llm_tokens_total', { provider: 'good', direction: 'input' }, 210],
      ['slipway_llm_failing', { provider: 'bad' }, 1],
    ] as const)
      expect(counted).toContainEqual({ name, labels, value });
    // Who asks by hand wants to know now.
    scene.models.answering = () => 'OK';
    expect(await scene.llms.check(['bad'], AbortSignal.timeout(60_000))).toMatchObject([{ name: 'bad', ok: true }]);
    await expect(scene.llms.check(['none'], AbortSignal.timeout(60_000))).rejects.toThrow(
      'There is no LlmProvider none.',
    );
  });

  test('a question that it refuses says nothing of how it is doing for others', async () => {
    scene.llms.configure([entry('it')]);
    scene.models.answering = ({ prompt }) => (prompt === 'long' ? { status: 413 } : 'well');
    for (let at = 0; at < 6; at++) expect(await ask('long')).toBeUndefined();
    expect(await ask('short')).toBe('well');
  });
});
