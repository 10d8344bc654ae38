import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import type { Control, ControlRequest } from '../../schemas/control.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { principal, raw, start } from './helpers/gateway.ts';

const wish = { principals: [principal('all', 'tok')] };
const headers = { Authorization: 'Bearer tok' };

test('a control request arrives whole, and its answer and errors leave as they should', async () => {
  const asked: ControlRequest[] = [];
  const logged: unknown[] = [];
  const control: Control = async (request) => {
    asked.push(request);
    if (request.path === '/blocked') throw new SlipwayError('blocked');
    if (request.path === '/bug') throw new Error('secret in a message');
    return { status: 201, body: { got: request.body } };
  };
  await using gateway = await start(wish, { control, log: (...line) => logged.push(line) });
  const ask = (path: string, body?: string) =>
    raw(gateway.url, { method: 'POST', path, headers, ...(body === undefined ? {} : { body }) });
  const answer = await ask('/api/v1/sync?wait=1&x=%20', '{"a":1}');
  expect([answer.status, answer.json]).toEqual([201, { got: { a: 1 } }]);
  expect(asked[0]).toMatchObject({ method: 'POST', path: '/sync', body: { a: 1 } });
  expect(Object.fromEntries(asked[0]?.query ?? [])).toEqual({ wait: '1', x: ' ' });
  const blocked = await ask('/api/v1/blocked');
  expect([blocked.status, blocked.json]).toMatchObject([409, { error_code: 'blocked', hint: expect.any(String) }]);
  const bug = await ask('/api/v1/bug');
  expect([bug.status, bug.json.error_code]).toEqual([500, 'internal']);
  expect(bug.text).not.toContain('secret');
  expect(JSON.stringify(logged)).toContain('secret in a message');
  expect((await ask('/api/v1/sync', '{')).json.error_code).toBe('bad-request');
});

test('lines are streamed as they come, until the client leaves or the gateway shuts down', async () => {
  const ended: string[] = [];
  const control: Control = async ({ path, signal }) => ({
    status: 200,
    lines: (async function* () {
      try {
        yield 'one';
        yield 'two';
        await once(signal, 'abort');
      } finally {
        ended.push(path);
      }
    })(),
  });
  const open = async (url: string, path: string) => {
    const call = get(`${url}/api/v1${path}`, { headers, agent: false });
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    let text = '';
    answer.setEncoding('utf8').on('error', () => {});
    while (!text.endsWith('two\n')) text += String(((await once(answer, 'data')) as [string])[0]);
    return { call, answer, text };
  };
  const gateway = await start(wish, { control });
  const left = await open(gateway.url, '/left');
  expect(left.text).toBe('one\ntwo\n');
  left.call.destroy();
  while (ended.length < 1) await new Promise(setImmediate);
  const stays = await open(gateway.url, '/stays');
  const end = once(stays.answer, 'end');
  stays.answer.resume();
  await gateway[Symbol.asyncDispose]();
  await end;
  expect(ended).toEqual(['/left', '/stays']);
});

test('readiness follows whoever composes; liveness does not', async () => {
  let ready = false;
  await using gateway = await start({}, { ready: () => ready });
  const status = async (path: string) => (await raw(gateway.url, { path })).status;
  expect([await status('/readyz'), await status('/healthz'), await status('/health')]).toEqual([503, 200, 200]);
  ready = true;
  expect(await status('/readyz')).toBe(200);
});
