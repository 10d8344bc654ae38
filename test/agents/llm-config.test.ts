/** From what is written of models and caches to what the gateway is told. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compile } from '../../reconciler/compile.ts';
import { composeSnapshot } from '../../reconciler/publish.ts';
import { CACHE_DEFAULTS } from '../../schemas/cache.ts';
import { snapshotSchema } from '../../schemas/snapshot.ts';
import { desired, resource } from '../helpers/config.ts';

const EVERYTHING = readFileSync(new URL('../fixtures/valid/llm-providers.yaml', import.meta.url), 'utf8');

const snapshotOf = (files: Readonly<Record<string, string>>) => {
  const nothing = { served: new Map(), known: {}, failures: {}, isUnready: () => false, before: {} };
  return snapshotSchema.parse(composeSnapshot(compile(desired(files)), nothing));
};

test('providers come with their addresses, and with references in the place of keys', () => {
  const { llms = [], routes, gateway, servers } = snapshotOf({ 'all.yaml': EVERYTHING });
  expect(llms).toEqual([
    {
      name: 'big',
      type: 'openai-compatible',
      model: 'meta-llama/Llama-4-Maverick',
      url: 'http://10.0.0.5:8000/v1',
      publicOnly: false,
      apiKey: { secret: 'keys', key: 'openai', from: { env: 'OPENAI_API_KEY' } },
      headers: [
        { name: 'X-Team', value: 'platform' },
        { name: 'X-Gateway-Token', value: { secret: 'keys', key: 'gateway', from: { file: '~/gateway-key' } } },
      ],
      tier: 'heavy',
      isDefault: true,
      timeoutMs: 120_000,
      maxOutputTokens: 4096,
      maxConcurrent: 8,
    },
    expect.objectContaining({ name: 'deployment', url: 'https://our.openai.azure.com/openai', publicOnly: true }),
    expect.objectContaining({ name: 'hosted', url: 'https://api.anthropic.com/v1', publicOnly: true }),
    expect.objectContaining({ name: 'local', url: 'http://127.0.0.1:11434/v1', publicOnly: false, timeoutMs: 60_000 }),
  ]);
  expect(routes['/projects/private/mcp']?.llm).toEqual({ fast: 'local', heavy: 'local' });
  expect(routes['/mcp']?.llm).toEqual({ fast: 'local', heavy: 'big' });
  expect(gateway.cache).toEqual({ max: { percent: 10 }, ttlMs: 7 * 86_400_000, maxMemoryEntries: 50 });
  expect(servers['kept']?.cache).toEqual([
    { tools: ['get_*', 'list'] },
    { tools: ['search'], ttlMs: 300_000, force: true },
  ]);
});

test('who says nothing of it gets the defaults, and nothing on the way of a call', () => {
  const { llms, routes, gateway, servers } = snapshotOf({
    'a.yaml': resource('Server', 'plain', { command: ['plain'] }),
  });
  expect([llms, routes['/mcp']?.llm, gateway.cache]).toEqual([[], undefined, CACHE_DEFAULTS]);
  expect(servers['plain']).not.toHaveProperty('cache');
});

test('a local model elsewhere is a private address like any other: it must be meant', () => {
  const spec = { type: 'ollama', model: 'm', url: 'http://10.1.2.3:11434/v1' };
  const publicOnly = (more: object): unknown =>
    snapshotOf({ 'a.yaml': resource('LlmProvider', 'far', { ...spec, ...more }) }).llms?.[0]?.publicOnly;
  expect([publicOnly({}), publicOnly({ privateNetwork: true })]).toEqual([true, false]);
});
