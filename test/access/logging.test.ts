/** Logs: how much is said changes while it runs, for people or machines, and never with a secret in it. */
import { expect, test } from 'vitest';
import { Logger } from '../../cli/log.ts';
import type { LogSettings } from '../../schemas/log.ts';
import { session, snapshot, start } from '../gateway/helpers/gateway.ts';
import { socketUpstream } from '../gateway/helpers/upstreams.ts';
import { resource, server } from '../helpers/config.ts';
import { Desk } from '../helpers/slipway.ts';

const SETTINGS: LogSettings = { level: 'info', format: 'plain', redactKeys: [] };

test('plain for people, JSON for machines, from a level on; fields that sound like secrets are masked wherever they stand', () => {
  const lines: string[] = [];
  const logger = new Logger({ write: (line) => lines.push(line), paint: (_style, text) => text, debug: false });
  const fields = {
    server: 'a b',
    access_token: 'swordfish',
    headers: { Authorization: 'swordfish', Accept: 'text/plain' },
    list: [{ 'X-Tenant': 'acme' }],
    gone: undefined,
  };
  logger.log('debug', 'unsaid');
  logger.log('warn', 'careful', fields);
  logger.configure({ level: 'debug', format: 'json', redactKeys: ['x-tenant'] });
  logger.log('debug', 'careful', fields);
  logger.configure({ ...SETTINGS, level: 'error' });
  logger.log('warn', 'unsaid');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(
    /^\d\d:\d\d:\d\d warn {2}careful server="a b" access_token=\*\*\* headers=\{"Authorization":"\*\*\*",/,
  );
  expect(JSON.parse(lines[1] ?? '')).toEqual({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    level: 'debug',
    message: 'careful',
    server: 'a b',
    access_token: '***',
    headers: { Authorization: '***', Accept: 'text/plain' },
    list: [{ 'X-Tenant': '***' }],
  });
  expect(lines.join()).not.toContain('swordfish');
});

test('what clients and servers call things is printed, not obeyed by the terminal; a line stays one', () => {
  const lines: string[] = [];
  const logger = new Logger({ write: (line) => lines.push(line), paint: (_style, text) => text, debug: false });
  logger.log('info', 'a\u001b[2Jb', {
    tool: '\u001b]0;owned\u0007',
    name: 'x\n12:00:00 info  all is well',
    bidi: '\u202eabc',
  });
  logger.configure({ ...SETTINGS, format: 'json' });
  logger.log('info', 'again', { tool: '\u001b]0;owned\u0007\n' });
  expect(lines.filter((line) => /[\p{Cc}\p{Bidi_C}]/u.test(line))).toEqual([]);
  expect(lines[0]).toContain('a\\u{1b}[2Jb tool=\\u{1b}]0;owned\\u{7} ');
});

test('at debug, each request is a line: who, what, where, how it went', async () => {
  const said: unknown[] = [];
  await using up = await socketUpstream('weather');
  const wish = (level: LogSettings['level']) => ({
    servers: { weather: up.endpoint },
    gateway: { logging: { format: 'plain' as const, redactKeys: [], level } },
  });
  const log = (_level: string, message: string, fields?: object) => void (message === 'request' && said.push(fields));
  await using gateway = await start(wish('debug'), { log });
  const client = await session(gateway.url, { path: '/projects/dev/mcp' });
  const call = () => client.rpc('tools/call', { name: 'weather__echo', arguments: { text: 'swordfish' } });
  const { headers } = await call();
  while (said.length < 2) await new Promise(setImmediate);
  expect(said.at(-1)).toMatchObject({
    requestId: headers['x-request-id'],
    clientIp: '127.0.0.1',
    httpMethod: 'POST',
    path: '/projects/dev/mcp',
    mcpMethod: 'tools/call',
    downstreamServer: 'weather',
    downstreamCommand: 'echo',
    principal: 'local',
    project: 'dev',
    status: 200,
    durationMs: expect.any(Number),
    revision: 'c0ffee',
  });
  expect(JSON.stringify(said)).not.toContain('swordfish');
  await gateway.swap(snapshot(wish('info')));
  await call();
  await call();
  expect(said).toHaveLength(2);
});

test('a pushed commit changes the log of the running program', async () => {
  await using desk = new Desk();
  const logging = (spec: object) => ({ 'g.yaml': resource('Gateway', 'main', { logging: spec }) });
  desk.push({ 'a.yaml': server('tiny', 'good', ['v1']), ...logging({}) });
  const running = await desk.up();
  const client = await session(await running.serving);
  desk.push(logging({ level: 'debug', format: 'json' }));
  expect((await desk.sync()).code).toBe(0);
  await client.rpc('tools/call', { name: 'tiny__version' });
  await running.logged('"downstreamCommand":"version"');
  const line = running.log.split('\n').find((text) => text.includes('"downstreamCommand":"version"')) ?? '';
  expect(JSON.parse(line)).toMatchObject({ level: 'debug', message: 'request', downstreamServer: 'tiny', status: 200 });
});
