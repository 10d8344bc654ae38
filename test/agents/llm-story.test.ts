/** The real program with a language model that is there, goes away and comes back; and with what it keeps of results. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { raw } from '../gateway/helpers/gateway.ts';
import { modernClient } from '../gateway/helpers/modern.ts';
import { Models } from '../helpers/models.ts';
import type { Desk, Running } from '../helpers/slipway.ts';
import { tempDir } from '../helpers/temp.ts';
import { ERAS, exampleUp, inExample, type Example } from './helpers/example.ts';

const KEY = 'sk-of-the-story-0815';

let models: Models;
let keys: ReturnType<typeof tempDir>;
let example: Example;
let desk: Desk;
let running: Running;
beforeAll(async () => {
  models = await Models.start();
  keys = tempDir();
  writeFileSync(join(keys.path, 'key'), `${KEY}\n`);
  const big = `apiVersion: slipway/v1
kind: Secret
metadata: { name: keys }
spec: { data: { model: { file: ${join(keys.path, 'key')} } } }
---
apiVersion: slipway/v1
kind: LlmProvider
metadata: { name: big }
spec:
  type: anthropic
  model: a-model
  url: ${models.url}/v1
  privateNetwork: true
  apiKey: { secretRef: { name: keys, key: model } }
  tier: heavy
---
apiVersion: slipway/v1
kind: Project
metadata: { name: thoughtful }
spec: { servers: [notes], llm: { heavy: big } }
`;
  const here = `  url: ${models.url}/v1\n  privateNetwork: true\n`;
  example = await exampleUp({ 'big.yaml': big, 'models.yaml': `${inExample('models.yaml')}${here}` });
  ({ desk, running } = example);
});
afterAll(async () => {
  await example[Symbol.asyncDispose]();
  await models[Symbol.asyncDispose]();
  keys[Symbol.dispose]();
});

const told = async (...args: string[]): Promise<string> =>
  (await desk.slipway([...args, '--state-dir', desk.state])).out;

test('models are told of as calls showed them, asked for a word when somebody wants to know, and no key is told', async () => {
  expect(models.asked).toEqual([]);
  expect(await told('get', 'llmproviders')).toMatch(
    /^NAME .*\nbig +anthropic +a-model +heavy +unknown +0 +0 +0\/0 +-\nlocal +ollama +llama3.2 +fast +unknown /,
  );
  models.answering = ({ headers }) => (headers['x-api-key'] === KEY ? 'OK' : { status: 401, body: `no: ${KEY}` });
  const well = await desk.slipway(['llm', 'check', 'big', '--state-dir', desk.state]);
  expect(well).toMatchObject({ code: 0, out: expect.stringMatching(/^llmprovider\/big answered after \d+ ms$/) });
  expect(models.asked).toMatchObject([{ path: '/v1/messages', body: { model: 'a-model' } }]);
  const described = await told('describe', 'llmprovider', 'big');
  expect(await told('status')).toMatch(
    /^Models {3}big \(a-model\) ok, answered \S+ ago; local \(llama3\.2\) unknown$/m,
  );
  expect(await told('describe', 'project', 'thoughtful')).toMatch(
    /\nModels\n +NAME .*\n +big +anthropic +a-model +heavy +ok /,
  );
  expect(described).toMatch(/Model\n +ok\n +1 calls, 0 failed, 0 running; 30 tokens in, 5 out/);

  // Rotated where it lies, to a wrong one; nothing is restarted.
  writeFileSync(join(keys.path, 'key'), 'sk-wrong\n');
  const bad = await desk.slipway(['llm', 'check', 'big', '--state-dir', desk.state]);
  expect(bad).toMatchObject({
    code: 1,
    out: expect.stringMatching(/failed after \d+ ms: It answered 401: the key is refused\.$/),
  });
  const [status, json] = await Promise.all([told('status'), desk.status()]);
  expect(status).toMatch(/^Ready/);
  expect(status).toMatch(/^Models {3}big failed \S+ ago: It answered 401: the key is refused\.$/m);
  expect(status).toMatch(/^Models {3}local \(llama3\.2\) unknown$/m);
  expect(json.llms).toMatchObject([
    { name: 'big', state: 'failing', calls: 2, errors: 1 },
    { name: 'local', state: 'unknown' },
  ]);
  const { text } = await raw(await running.serving, { path: '/metrics' });
  expect(text).toContain('slipway_llm_calls_total{provider="big",outcome="error"} 1');

  // Another model by a commit: counted anew.
  const config = readFileSync(join(desk.config, 'big.yaml'), 'utf8');
  writeFileSync(join(keys.path, 'key'), `${KEY}\n`);
  desk.push({ 'big.yaml': config.replace('a-model', 'b-model') }, 'another model');
  expect((await desk.sync()).code).toBe(0);
  expect(await told('llm', 'check', 'big')).toContain('answered');
  expect(models.asked.at(-1)).toMatchObject({ body: { model: 'b-model' } });
  expect((await desk.status()).llms?.[0]).toMatchObject({ model: 'b-model', state: 'ok', calls: 1, errors: 0 });

  const seen = [running.log, status, text, JSON.stringify(json), described, bad.out, well.out];
  expect(seen.join('\n')).not.toMatch(/sk-(of-the-story|wrong)/);
});

test.each(ERAS)('a client of MCP %s gets what was read before, until somebody writes', async (era) => {
  await using agent = await example.open('full', era);
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<[string | undefined, boolean]> => {
    const { content, _meta } = await agent.callTool({ name, arguments: args });
    const [first] = content as { text: string }[];
    return [first?.text, _meta?.['slipway/cached'] !== undefined];
  };
  const title = `of ${era}`;
  await call('team_write', { title, text: 'first' });
  expect(await call('team_get_note', { title })).toEqual(['first', false]);
  expect(await call('team_get_note', { title })).toEqual(['first', true]);
  await call('team_write', { title, text: 'second' });
  expect(await call('team_get_note', { title })).toEqual(['second', false]);
  const events = await told('audit', 'query', '--tool', 'get_note', '-o', 'json');
  expect(events).toMatch(/"cached": ?true/);
});

test('what is kept is told, and forgotten when somebody says so', async () => {
  await using agent = await example.open('full', '2025-11-25');
  const isKept = async (): Promise<boolean> =>
    (await agent.callTool({ name: 'team_list_notes' }))._meta?.['slipway/cached'] !== undefined;
  await isKept();
  expect(await isKept()).toBe(true);
  expect(await told('cache', 'stats')).toMatch(/^Results {2}[1-9]\d* of tools, .* found$/m);
  expect(await told('cache', 'clear', '--older-than', '1d')).toBe('0 texts removed, 0');
  expect(await isKept()).toBe(true);
  expect(await told('cache', 'clear')).toBe('0 texts removed, 0');
  expect(await isKept()).toBe(false);
});

test('what is asked wrongly is answered so', async () => {
  expect((await desk.slipway(['cache', 'clear', '--older-than', 'soon', '--state-dir', desk.state])).err).toContain(
    'no duration',
  );
  const unknown = await desk.slipway(['llm', 'check', 'none', '--state-dir', desk.state]);
  expect([unknown.code, unknown.err]).toEqual([
    expect.any(Number),
    expect.stringContaining('There is no LlmProvider none.'),
  ]);
});

test('what a model said once is not asked again, not even after a restart, until it is forgotten', async () => {
  models.answering = ({ prompt }) => `said of ${/Words of \d/.exec(prompt)?.[0]}`;
  models.asked.length = 0;
  const chapters = [1, 2, 3].map((at) => `# Chapter ${at}\n\n${`Words of ${at}. `.repeat(300)}`).join('\n\n');
  const read = async (): Promise<string> => {
    // Where it serves now: it is started anew below.
    await using agent = await modernClient(`${await running.serving}/projects/sections/mcp`);
    await agent.callTool({ name: 'notes__save_note', arguments: { title: 'book', text: chapters } });
    const { content } = await agent.callTool({ name: 'notes__get_note', arguments: { title: 'book' } });
    return (content as { text: string }[])[0]?.text ?? '';
  };
  expect(await read()).toMatch(/Chapter 2 .*: said of Words of 2/);
  const times = models.asked.length;
  expect(times).toBeGreaterThanOrEqual(3);
  expect(models.asked.every(({ body }) => body['model'] === 'llama3.2')).toBe(true);
  expect((await running.stop()).code).toBe(0);
  running = await desk.up();
  expect(await read()).toMatch(/Chapter 3 .*: said of Words of 3/);
  expect(models.asked).toHaveLength(times);
  expect(await told('cache', 'stats')).toMatch(new RegExp(`^local--llama3.2--sections +${times} `, 'm'));
  expect(await told('cache', 'clear', 'local--llama3.2--sections')).toMatch(new RegExp(`^${times} texts removed, `));
  models.answering = () => 'said anew';
  expect(await read()).toContain('said anew');
});
