/** `slipway console` on a real terminal, and what keys do to what it shows. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { beginning, learn, press, selectedAt, type Model } from '../../cli/console/model.ts';
import { rowsOf } from '../../cli/console/rows.ts';
import type { AuditEvent } from '../../reconciler/index.ts';
import { cli } from '../helpers/cli.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { required } from '../helpers/required.ts';
import { Desk, MAIN } from '../helpers/slipway.ts';
import { Screen } from '../helpers/tmux.ts';

const PROJECT = `apiVersion: slipway/v1
kind: Project
metadata: { name: dev }
spec: { servers: [hello] }
`;

const hasTmux = spawnSync('tmux', ['-V']).status === 0;
required('tmux', hasTmux);

describe.skipIf(!hasTmux)('on a terminal', () => {
  let desk: Desk;
  beforeAll(async () => {
    desk = new Desk();
    desk.push(
      {
        'gateway.yaml': GATEWAY,
        'hello.mjs': HELLO_PROGRAM,
        'hello.yaml': helloServer('hello'),
        'other.yaml': helloServer('other'),
        'dev.yaml': PROJECT,
      },
      'two servers',
    );
    await desk.up();
  });
  afterAll(() => desk[Symbol.asyncDispose]());

  const open = (...args: string[]): Screen =>
    new Screen([process.execPath, MAIN, 'console', '--state-dir', desk.state, '--repo', desk.remote, ...args], {
      cwd: desk.home,
      env: { ...desk.env(), NO_COLOR: '' },
    });

  test('servers by project, a call as it happens and what is known of it, a sync, the plan, and out again', async () => {
    using screen = open();
    const first = await screen.shows('no project');
    expect(first).toContain('Ready');
    expect(first).toMatch(/applied [0-9a-f]{12} two servers, by Ada/);
    expect(first).toMatch(/project dev\n +hello +(ready|sleeping)/);
    expect(first).toMatch(/no project\n +other +ready/);

    screen.keys('2');
    await screen.shows('[2 calls]');
    expect((await desk.call('hello', 'hello', { name: 'Grace' })).code).toBe(0);
    const called = await screen.shows('tools/call hello');
    expect(called).toMatch(/local +tools\/call hello +hello +ok +[\d.]+ms/);
    screen.keys('Enter');
    const inspected = await screen.shows('kind: tool_call_trace');
    expect(inspected).not.toContain('Grace'); // What was sent is nowhere kept.
    screen.keys('Escape');

    screen.keys('1', 'Down', 'Enter');
    await screen.shows('Conditions');
    screen.keys('Escape');
    await screen.shows(/^(?!.*Conditions)/s);

    desk.push({ 'other.yaml': undefined, 'third.yaml': helloServer('third') }, 'another one');
    screen.keys('p');
    await screen.shows(/\+ +Server\/third will be created/);
    screen.keys('s');
    await screen.shows(/applied [0-9a-f]{12} another one/);
    screen.keys('1');
    await screen.shows(/ third +ready/);

    screen.keys('/', 'h', 'e', 'l', 'Enter');
    await screen.shows(/^(?!.* third )/s);
    screen.resize(60, 12);
    await screen.shows('hello');
    screen.keys('q');
    expect(await screen.shows('[ended 0]')).not.toContain('hello'); // What stood there before is back.
  });

  test('--audit: all that the log holds, from the newest back; Ctrl-C leaves', async () => {
    using screen = open('--audit');
    await screen.shows('[2 audit]');
    await screen.shows(/sync +/);
    screen.keys('g');
    screen.keys('Enter');
    await screen.shows(/seq: 1\b/);
    screen.keys('C-c');
    await screen.shows('[ended 0]');
  });

  test('a Slipway that goes away is told, and found again when it is back', async () => {
    await using another = new Desk();
    another.push({ 'gateway.yaml': GATEWAY });
    const running = await another.up();
    using screen = new Screen([process.execPath, MAIN, 'console', '--state-dir', another.state], {
      cwd: another.home,
      env: another.env(),
    });
    await screen.shows('Ready');
    await running.stop();
    await screen.shows('does not answer');
    await another.up();
    await screen.shows('look into it');
    screen.keys('q');
    await screen.shows('[ended 0]');
  });
});

test('without a terminal it says what to use instead', async () => {
  const { code, err } = await cli(['console'], { cwd: process.cwd() });
  expect(code).toBe(64);
  expect(err).toContain('slipway status');
});

describe('keys', () => {
  const event = (seq: number, more: Partial<AuditEvent> = {}): AuditEvent =>
    ({
      seq,
      ts: '2026-01-02T03:04:05.678Z',
      method: 'tools/call',
      tool: `tool-${seq}`,
      source: 'gateway',
      outcome: 'ok',
      deniedReason: null,
      ...more,
    }) as AuditEvent;
  const known = (count: number): Model =>
    learn(
      { ...beginning(false), tab: 'calls' },
      { feed: 'calls', calls: Array.from({ length: count }, (_, n) => event(n + 1)) },
    );
  const pressed = (model: Model, ...keys: string[]): Model =>
    keys.reduce((now, key) => press(now, { key, rows: rowsOf(now).rows.map((row) => row.key), page: 10 }).model, model);
  const at = (model: Model): string | undefined => {
    const { rows } = rowsOf(model);
    return rows[
      selectedAt(
        model,
        rows.map(({ key }) => key),
      )
    ]?.key;
  };

  test('who is at the end of the calls stays there; who went back stays where he is', () => {
    const end = known(50);
    expect(at(end)).toBe('50');
    const more = (model: Model): Model => learn(model, { feed: 'calls', calls: [event(51)] });
    expect(at(more(end))).toBe('51');
    expect(at(more(pressed(end, 'up', 'up')))).toBe('48');
    expect(at(more(pressed(end, 'up', 'down')))).toBe('51');
    expect([at(pressed(end, 'g')), at(pressed(end, 'pageUp')), at(pressed(end, 'g', 'G'))]).toEqual(['1', '40', '50']);
  });

  test('what comes twice is shown once, in order; a day of calls does not fill the memory', () => {
    const twice = learn(known(5), { feed: 'calls', calls: [event(4), event(6)] });
    expect(twice.calls.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    const many = learn(known(900), { feed: 'calls', calls: Array.from({ length: 900 }, (_, n) => event(n + 901)) });
    expect([many.calls.length, many.calls[0]?.seq, many.calls.at(-1)?.seq]).toEqual([1000, 801, 1800]);
    const back = learn(many, { feed: 'calls', calls: Array.from({ length: 200 }, (_, n) => event(n + 601)) });
    expect([back.calls.length, back.calls[0]?.seq]).toEqual([1000, 601]);
  });

  test('a filter is typed, kept, and taken away', () => {
    const typing = pressed(known(20), '/', 't', 'o', 'o', 'l', '-', '7', '7', 'backspace');
    expect([typing.typing, typing.filter, rowsOf(typing).rows.length]).toEqual([true, 'tool-7', 1]);
    const kept = pressed(typing, 'return', 'q');
    expect([kept.typing, kept.filter]).toEqual([false, 'tool-7']);
    expect(pressed(kept, 'escape').filter).toBe('');
  });

  test('what the log says of syncs is no call, unless one wants all of it', () => {
    const model = learn(known(1), { feed: 'calls', calls: [event(2, { source: 'reconciler', method: 'sync' })] });
    expect(rowsOf(model).rows).toHaveLength(1);
    expect(rowsOf(pressed(model, 'a')).rows).toHaveLength(2);
  });

  test('a project with a long name does not push the columns of its servers away', () => {
    const status = { servers: [{ name: 'hello', instances: [], conditions: [] }] };
    const long = { name: 'a-name-that-goes-on-and-on'.repeat(2), servers: ['hello'] };
    const { rows } = rowsOf({ ...beginning(false), tab: 'servers', projects: [long], status } as unknown as Model);
    expect(rows.map(({ text }) => text.slice(0, 20))).toEqual(['project a-name-that-', '  hello   Unknown   ']);
  });

  test('trouble is told until there are news again', () => {
    const lost = learn(known(1), { feed: 'calls', trouble: 'it does not answer' });
    expect(lost.trouble).toEqual({ calls: 'it does not answer' });
    expect(learn(lost, { feed: 'calls', calls: [] }).trouble).toEqual({});
  });

  test('control characters of servers and clients reach no terminal', () => {
    const evil = learn(known(0), { feed: 'calls', calls: [event(1, { tool: '\u001b]0;owned\u0007' })] });
    expect(rowsOf(evil).rows[0]?.text).toContain('\\u{1b}]0;owned\\u{7}');
  });
});
