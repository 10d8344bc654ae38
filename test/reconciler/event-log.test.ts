/** What operators are told of what happened, and who waits for it. */
import { describe, expect, test } from 'vitest';
import { EventLog, happenings } from '../../reconciler/event-log.ts';
import type { Condition, InstanceStatus, ServerStatus, Status } from '../../schemas/status.ts';

const at = '2026-01-02T03:04:05Z';

const condition = (type: Condition['type'], status: Condition['status'], reason: string, message = ''): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: at,
});
const READY = condition('Ready', 'True', 'Succeeded');

const instance = (more: Partial<InstanceStatus> = {}): InstanceStatus => ({
  name: 'slipway-db-0',
  state: 'running',
  hash: 'x',
  restarts: 0,
  ...more,
});

const server = (more: Partial<ServerStatus> = {}): ServerStatus => ({
  name: 'db',
  address: 'Server/db',
  runtime: 'process',
  enabled: true,
  transport: 'stdio',
  conditions: [READY],
  instances: [instance()],
  tools: ['read'],
  ...more,
});

const status = (more: Partial<Status> = {}): Status => ({
  formatVersion: 1,
  version: '1.0.0',
  pid: 1,
  startedAt: at,
  source: 'a repo',
  conditions: [READY],
  issues: [],
  servers: [server()],
  tokens: [],
  workspaces: [],
  outbox: { pending: 0 },
  ...more,
});

const told = (before: Status | undefined, after: Status): string[] =>
  happenings(before, after).map(({ type, about, reason, message }) => `${type} ${about} ${reason}: ${message}`);

describe('what differs between two statuses', () => {
  test('nothing, where nothing does', () => {
    expect(told(status(), status({ servers: [server({ upstreams: [] })] }))).toEqual([]);
  });

  test('the first tells what is', () => {
    expect(told(undefined, status())).toEqual([
      'Normal Slipway Started: slipway 1.0.0 follows a repo',
      'Normal Slipway Succeeded: ',
      'Normal Server/db Succeeded: ',
      'Normal Server/db Started: it runs',
    ]);
  });

  test('a commit, and what it brings and takes', () => {
    const lastApplied = { id: 'abcdef0123456789', at, author: 'Ada', subject: 'More' };
    const other = server({ name: 'web', address: 'Server/web', instances: [] });
    expect(told(status(), status({ lastApplied, servers: [other] }))).toEqual([
      'Normal Slipway Applied: abcdef012345 More by Ada',
      'Normal Server/db Removed: it is in the config no more',
      'Normal Server/web Added: it is new in the config',
      'Normal Server/web Succeeded: ',
    ]);
  });

  test.each<[string, Partial<ServerStatus>, string]>([
    [
      'a crash',
      { instances: [instance({ state: 'crashed', lastError: 'exit 3' })] },
      'Warning Server/db Crashed: exit 3',
    ],
    [
      'a crash that nobody saw',
      { instances: [instance({ restarts: 1, lastError: 'exit 3' })] },
      'Warning Server/db Crashed: exit 3',
    ],
    ['a failing probe', { instances: [instance({ unready: 'no answer' })] }, 'Warning Server/db Unready: no answer'],
    ['the end of an instance', { instances: [] }, 'Normal Server/db Stopped: it was removed'],
    ['other tools', { tools: ['write'] }, 'Normal Server/db ToolsChanged: 1 new, 1 gone, 1 in all'],
    [
      'why it is not ready',
      { conditions: [condition('Ready', 'False', 'CrashLoop', 'again')] },
      'Warning Server/db CrashLoop: again',
    ],
    [
      'drift',
      { conditions: [READY, condition('Drifted', 'True', 'ChangedByHand', 'by hand')] },
      'Warning Server/db Drifted: by hand',
    ],
  ])('%s', (_, change, expected) => {
    expect(told(status(), status({ servers: [server(change)] }))).toEqual([expected]);
  });
});

test('what happens again in the same words is counted, so that a crash loop hides nothing else', () => {
  const log = new EventLog();
  log.note(undefined, status(), at);
  const crashed = status({ servers: [server({ instances: [instance({ state: 'crashed', lastError: 'exit 3' })] })] });
  for (let minute = 10; minute < 15; minute++) {
    log.note(status(), crashed, `2026-01-02T03:${minute}:00Z`);
    log.note(crashed, status(), `2026-01-02T03:${minute}:30Z`);
  }
  expect(log.list().find(({ reason }) => reason === 'Crashed')).toMatchObject({
    count: 5,
    firstAt: '2026-01-02T03:10:00Z',
    at: '2026-01-02T03:14:00Z',
  });
  expect(log.list()).toHaveLength(5);
});

test('who follows hears of each once, and of none before', async () => {
  const log = new EventLog();
  const stop = new AbortController();
  log.note(undefined, status(), at);
  const followed = Array.fromAsync(log.follow(stop.signal));
  log.note(status(), status({ servers: [server({ tools: ['read', 'write'] })] }), at);
  await new Promise(setImmediate);
  log.note(status(), status({ servers: [] }), at);
  await new Promise(setImmediate);
  stop.abort();
  expect((await followed).map(({ reason }) => reason)).toEqual(['ToolsChanged', 'Removed']);
});

test('the log is bounded', () => {
  const log = new EventLog();
  for (let number = 0; number < 1200; number++)
    log.note(status(), status({ lastApplied: { id: `${number}`, at } }), at);
  expect(log.list()).toHaveLength(1000);
  expect(log.list()[0]?.seq).toBe(201);
});
