import { once } from 'node:events';
import { mkdtempDisposableSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Control, ControlRequest } from '../../schemas/control.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Principal } from '../../schemas/snapshot.ts';
import { principal, raw, snapshot, start } from './helpers/gateway.ts';

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

test('lines end for whoever they are no longer for: revoked, expired, or with other rights', async () => {
  const control: Control = async ({ signal }) => ({
    status: 200,
    lines: (async function* () {
      yield 'one';
      await once(signal, 'abort');
    })(),
  });
  const token = (name: string, more: Partial<Principal> = {}) => principal(name, name, { roles: ['viewer'], ...more });
  const [ci, eve] = [token('ci'), token('eve')];
  const soon = Date.now() + 2_000;
  using dir = mkdtempDisposableSync(join(tmpdir(), 'slw-'));
  const socketPath = join(dir.path, 'control.sock');
  await using gateway = await start(
    { principals: [ci, eve, token('brief', { expiresAt: soon })] },
    { control, socketPath },
  );
  const open: string[] = [];
  const follow = async (by: string): Promise<{ ended: Promise<unknown> }> => {
    const path = '/api/v1/logs/Server/a?follow=true';
    const { port } = new URL(gateway.url);
    const call = get({
      ...(by === 'socket' ? { socketPath } : { host: '127.0.0.1', port }),
      path,
      headers: { Authorization: `Bearer ${by}` },
      agent: false,
    });
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    await once(answer, 'data');
    open.push(by);
    const ended = once(answer.resume(), 'end').then(() => open.splice(open.indexOf(by), 1));
    return { ended };
  };
  await follow('socket');
  const [ofCi, ofEve, ofBrief] = [await follow('ci'), await follow('eve'), await follow('brief')];
  // A commit about something else leaves them alone.
  await gateway.swap(
    snapshot({ principals: [ci, eve, token('brief', { expiresAt: soon })], gateway: { httpSse: true } }),
  );
  await gateway.swap(snapshot({ principals: [eve, token('brief', { expiresAt: soon })] }));
  await ofCi.ended;
  expect(open).toEqual(['socket', 'eve', 'brief']);
  await gateway.swap(
    snapshot({ principals: [token('eve', { projects: ['dev'] }), token('brief', { expiresAt: soon })] }),
  );
  await ofEve.ended;
  await ofBrief.ended;
  await gateway.swap(snapshot({ principals: [eve], access: { members: { dev: ['a'] } } }));
  expect(open).toEqual(['socket']);
  expect(Date.now()).toBeGreaterThanOrEqual(soon);
});
