/** What can be asked of the audit log: by who, what, where, when, what came of it; of what there is, and of what comes. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { audit, type AuditDesk } from '../../reconciler/audit-control.ts';
import type { AuditEvent } from '../../reconciler/record/audit/line.ts';
import { AuditLog } from '../../reconciler/record/audit/log.ts';
import { AuditReader } from '../../reconciler/record/audit/reader.ts';
import type { SessionRow } from '../../reconciler/record/audit/events-db.ts';
import { gitRecorder, noRecorder } from '../../reconciler/record/recorder.ts';
import { grantOf, LOCAL, NO_ACCESS } from '../../schemas/access.ts';
import type { AuditDraft } from '../../schemas/audit.ts';
import { silent } from '../../schemas/log.ts';
import { TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const [OLD, NEW] = ['0a1b2c3d'.repeat(5), '4e5f6a7b'.repeat(5)];
const NOON = Date.parse('2026-03-01T12:00:00Z');

const common = {
  kind: 'tool_call_trace',
  source: 'gateway',
  outcome: 'ok',
  method: 'tools/call',
  allowed: true,
} as const;
const denied = { outcome: 'denied', allowed: false } as const;

/** By their names. */
const EVENTS: Readonly<Record<string, Partial<AuditDraft>>> = {
  forecast: { principal: 'token:ada', server: 'weather', tool: 'forecast', project: 'dev', session: 's1', commit: OLD },
  quiet: { principal: 'token:ada', server: 'bank', tool: 'balance', level: 'hash', session: 's1', commit: OLD },
  broken: { principal: 'user:eve', server: 'weather', tool: 'forecast', outcome: 'error', session: 's2', commit: NEW },
  late: { principal: 'user:eve', server: 'weather', tool: 'radar', project: 'dev', outcome: 'timeout', commit: OLD },
  prompt: {
    principal: 'user:eve',
    kind: 'mcp_request',
    method: 'prompts/get',
    tool: 'greet',
    session: 's2',
    commit: NEW,
  },
  stranger: { ...denied, kind: 'auth_failure', deniedReason: 'unauthorized', address: '192.0.2.7', commit: NEW },
  refused: {
    ...denied,
    kind: 'rbac_decision',
    principal: 'token:ada',
    deniedReason: 'forbidden',
    session: 's1',
    commit: NEW,
  },
};
const NAMES = Object.keys(EVENTS);
const IDS = new Map(NAMES.map((name) => [name, randomUUID()]));

/** One after the other, a minute apart. */
const drafts = NAMES.map((name, index): AuditDraft => ({
  ...common,
  at: NOON + index * 60_000,
  requestId: IDS.get(name) ?? '',
  ...EVENTS[name],
}));

const nameOf = ({ requestId }: { requestId: string }): string | undefined =>
  NAMES.find((name) => IDS.get(name) === requestId);

const dir = tempDir();
let log: AuditLog;
let desk: AuditDesk;
beforeAll(async () => {
  log = new AuditLog({ dir: dir.at('audit'), recorder: noRecorder, log: silent });
  const repository = dir.at('none.git');
  desk = {
    log,
    reader: new AuditReader({ dir: dir.at('audit'), repository, branch: () => 'none', flush: () => log.flush() }),
  };
  for (const draft of drafts) log.record(draft);
  await log.flush();
});
afterAll(async () => {
  desk.reader[Symbol.dispose]();
  await log[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const caller = { key: 'local', grant: grantOf(NO_ACCESS, LOCAL) };
const ask = (query: string, what: string[] = [], signal = new AbortController().signal) =>
  audit(desk, { method: 'GET', path: '/audit', query: new URLSearchParams(query), signal, caller }, what);

/** In the order in which they came. */
async function found(query: string): Promise<(string | undefined)[]> {
  const { body } = await ask(query);
  return (body as { events: AuditEvent[] }).events
    .map(nameOf)
    .filter((name) => name !== undefined)
    .toReversed();
}

/** Of the chain's own hash of a session. */
async function sessions(query: string): Promise<SessionRow[]> {
  const { body } = await ask(query, ['sessions']);
  return (body as { sessions: SessionRow[] }).sessions;
}

describe('filters', () => {
  const cases: [string, string[]][] = [
    ['principal=token:ada', ['forecast', 'quiet', 'refused']],
    ['server=weather', ['forecast', 'broken', 'late']],
    ['project=dev', ['forecast', 'late']],
    ['tool=forecast', ['forecast', 'broken']],
    // Its name is not in the log; who knows it finds it.
    ['tool=balance', ['quiet']],
    ['kind=mcp_request', ['prompt']],
    ['outcome=denied', ['stranger', 'refused']],
    ['outcome=timeout&project=dev', ['late']],
    [`request=${IDS.get('broken')}`, ['broken']],
    ['principal=user:eve&tool=forecast', ['broken']],
    ['principal=nobody', []],
  ];

  test.each(cases)('%s, of what there is', async (query, names) => expect(await found(query)).toEqual(names));

  test.each(cases)('%s, of what comes', async (query, names) => {
    const stop = new AbortController();
    const { lines } = await ask(`${query}&follow=true&limit=100`, [], stop.signal);
    const seen: (string | undefined)[] = [];
    const reading = (async () => {
      for await (const line of lines ?? []) seen.push(nameOf(JSON.parse(line) as AuditEvent));
    })();
    // It listens as soon as it is asked for the first line.
    for (const draft of drafts) log.record(draft);
    await log.flush();
    await new Promise(setImmediate);
    stop.abort();
    await reading;
    expect(seen).toEqual(names);
  });
});

describe('time', () => {
  test.each([
    ['since=2026-03-01T12:04:00Z', ['prompt', 'stranger', 'refused']],
    ['until=2026-03-01T12:01:00Z', ['forecast', 'quiet']],
    ['since=2026-03-01T12:01:00Z&until=2026-03-01T12:02:00Z', ['quiet', 'broken']],
    // From the first one under it, whatever came then.
    [`sinceCommit=${NEW.slice(0, 8)}`, ['broken', 'late', 'prompt', 'stranger', 'refused']],
    ['sinceCommit=ffff', []],
  ])('%s', async (query, names) => {
    const all = await found(`${query}&limit=1000`);
    expect(all.slice(0, names.length)).toEqual(names);
    expect(new Set(all)).toEqual(new Set(names.length === 5 ? NAMES : names));
  });

  test('page by page, newest first', async () => {
    const seqs: number[] = [];
    let next: number | undefined;
    do {
      const { body } = await ask(`limit=3${next === undefined ? '' : `&before=${next}`}`);
      const page = body as { events: AuditEvent[]; next?: number };
      seqs.push(...page.events.map(({ seq }) => seq));
      next = page.next;
    } while (next !== undefined);
    expect(seqs).toEqual(Array.from(seqs, (_, index) => seqs.length - index));
  });
});

test('sessions: who they were of, when, how many events, how many refused; each can be asked for', async () => {
  const [first, second] = await sessions('');
  expect([first?.principal, second?.principal].toSorted()).toEqual(['token:ada', 'user:eve']);
  const [ada] = await sessions('principal=token:ada');
  expect(ada).toMatchObject({ principal: 'token:ada', firstSeen: '2026-03-01T12:00:00.000Z' });
  expect(ada?.denied).toBe((ada?.events ?? 0) / 3);
  expect(new Set(await found(`session=${ada?.sessionId}`))).toEqual(new Set(['forecast', 'quiet', 'refused']));
  expect(await sessions('until=2026-03-01T11:00:00Z')).toEqual([]);
});

test.each([
  ['who=ada', []],
  ['outcome=good', []],
  ['kind=call', []],
  ['since=yesterday', []],
  ['limit=0', []],
  ['limit=1001', []],
  ['before=-1', []],
  ['sinceCommit=HEAD', []],
  // What would be passed over is refused.
  ['tool=forecast', ['sessions']],
  ['follow=true&since=1h', []],
])('%s %s is refused, and said why', async (query, what) => {
  const wrong = query.split('&').at(-1)?.split('=')[0];
  await expect(ask(query, what)).rejects.toMatchObject({
    code: 'bad-request',
    message: expect.stringMatching(new RegExp(`^${wrong} `)),
  });
});

test('what is in git only is found as soon as that can be read, also by an index that was made before', async () => {
  using repo = new TestRepo();
  using temporary = tempDir();
  mkdirSync(temporary.at('outbox'));
  const own = temporary.at('audit');
  const repository = temporary.at('records.git');
  {
    const common4 = { schedule: '0 0 1 1 *', maxEvents: 4, maxBytes: 2 ** 20, fsyncMs: 1000, keepMs: 2 ** 40 };
    const settings = { ...common4, onFailure: 'continue', branch: 'slipway/audit' } as const;
    await using recorder = gitRecorder({ outbox: temporary.at('outbox'), repository, remote: repo.url, log: silent });
    await using kept = new AuditLog({ dir: own, recorder, settings, log: silent });
    for (let n = 0; n < 3; n++) {
      for (let m = 0; m < 4; m++) kept.record({ ...common, at: NOON, requestId: randomUUID() });
      await kept.flush();
    }
  }
  const [oldest = ''] = readdirSync(own)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted();
  rmSync(join(own, oldest));
  using reader = new AuditReader({ dir: own, repository, branch: () => 'slipway/audit' });
  const away = temporary.at('away.git');
  renameSync(repository, away);
  const first = await reader.events({ limit: 100 });
  renameSync(away, repository);
  const all = await reader.events({ limit: 100 });
  expect([first.length, all.length]).toEqual([all.length - 5, 13]);
});

test.runIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'on a full disk the index cannot be written, which is said; when there is room, everything is found',
  async () => {
    using temporary = tempDir();
    const disk = temporary.at('disk');
    mkdirSync(disk);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', disk]).status).toBe(0);
    try {
      await using own = new AuditLog({ dir: disk, recorder: noRecorder, log: silent });
      using reader = new AuditReader({ dir: disk, repository: temporary.at('none.git'), branch: () => 'none' });
      for (let n = 0; n < 1000; n++) own.record({ ...common, at: NOON, requestId: randomUUID() });
      await own.flush();
      expect(await reader.events({ limit: 1 })).toHaveLength(1);
      for (let n = 0; n < 1000; n++) own.record({ ...common, at: NOON, requestId: randomUUID() });
      await own.flush();
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(join(disk, 'fill'), Buffer.alloc((bavail - 2) * bsize));
      for (let n = 0; n < 2; n++)
        await expect(reader.events({ limit: 1000 })).rejects.toMatchObject({ code: 'state-unwritable' });
      rmSync(join(disk, 'fill'));
      const { seq = 0 } = (await reader.events({ limit: 1 }))[0] ?? {};
      expect(seq).toBe(2001);
      expect(await reader.events({ limit: 1000, before: 1002 })).toHaveLength(1000);
    } finally {
      expect(spawnSync('umount', ['--lazy', disk]).status).toBe(0);
    }
  },
);
