/** The log itself: what a line says, what the chain proves, what a crash and a full disk cost. */
import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Trace } from '../../gateway/audit/trace.ts';
import { traceRequest } from '../../gateway/audit/requests.ts';
import { hashArguments, hashLarge } from '../../reconciler/record/audit/arguments.ts';
import { AuditLog, type AuditLogOptions } from '../../reconciler/record/audit/log.ts';
import type { AuditEvent } from '../../reconciler/record/audit/line.ts';
import { follow as followSchedule, isDue } from '../../reconciler/schedule.ts';
import { verifyBranch } from '../../reconciler/record/audit/branch-log.ts';
import { verifyLocal } from '../../reconciler/record/audit/verify.ts';
import { gitRecorder, noRecorder } from '../../reconciler/record/recorder.ts';
import type { AuditDraft, AuditSettings } from '../../schemas/audit.ts';
import { silent } from '../../schemas/log.ts';
import { git, TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';
import { eventually } from '../helpers/until.ts';

const SETTINGS: AuditSettings = {
  schedule: '0 0 1 1 *',
  maxEvents: 1_000_000,
  maxBytes: 2 ** 30,
  fsyncMs: 1000,
  onFailure: 'continue',
  keepMs: 2 ** 40,
  branch: 'slipway/audit',
};

function start(dir: string, more: Partial<AuditLogOptions> & { settings?: AuditSettings } = {}): AuditLog {
  return new AuditLog({ dir, settings: SETTINGS, recorder: noRecorder, log: silent, ...more });
}

function call(more: Partial<AuditDraft> = {}): AuditDraft {
  return {
    at: Date.now(),
    kind: 'tool_call_trace',
    source: 'gateway',
    outcome: 'ok',
    requestId: randomUUID(),
    principal: 'token:ada',
    project: 'dev',
    server: 'weather',
    tool: 'forecast',
    method: 'tools/call',
    allowed: true,
    ...more,
  };
}

const refusal = (more: Partial<AuditDraft> = {}): AuditDraft =>
  call({ kind: 'auth_failure', outcome: 'denied', allowed: false, deniedReason: 'unauthorized', status: 401, ...more });

const filesOf = (dir: string): string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted();
const linesIn = (dir: string): string[] =>
  filesOf(dir).flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1));
const eventsIn = (dir: string): AuditEvent[] => linesIn(dir).map((line) => JSON.parse(line) as AuditEvent);

/** What a commit says of the file that it is made of. */
const saidOf = ({ subject, trailers }: { subject: string; trailers: readonly string[] }): string =>
  `${subject} ${trailers.at(-1)}`;

/** What is kept once everything that nobody needs is gone. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc(); gc()');
  return process.memoryUsage().heapUsed;
}

/** A log of so many calls, closed. */
async function written(dir: string, calls: number, settings = SETTINGS): Promise<void> {
  await using log = start(dir, { settings });
  for (let n = 1; n <= calls; n++) log.record(call({ tool: `tool-${n}`, arguments: { n } }));
}

describe('a line', () => {
  test('begins with the eight keys of the team server, and holds hashes of arguments instead of them', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      log.record(
        call({ at: 1_763_722_757_123, arguments: { b: 'swordfish', a: [1] }, session: 'sealed', status: 200 }),
      );
      log.record(call({ arguments: { a: [1], b: 'swordfish' } }));
      log.record(call());
      log.record(call({ kind: 'mcp_request', tool: 'x"\n\u2028', principal: 'user:eve', project: undefined }));
    }
    const [begun, first, second, third, odd] = eventsIn(dir.path);
    expect(begun).toMatchObject({ kind: 'audit', method: 'chain.begun', seq: 1 });
    const eight = ['ts', 'tokenId', 'workspaceId', 'tool', 'method', 'allowed', 'deniedReason', 'argumentsMd5'];
    expect(Object.keys(first ?? {}).slice(0, 8)).toEqual(eight);
    const canonical = '{"a":[1],"b":"swordfish"}';
    const by = (name: string): string => createHash(name).update(canonical).digest('hex');
    expect(first).toMatchObject({
      ts: '2025-11-21T10:59:17.123Z',
      tokenId: 'ada',
      workspaceId: 'dev',
      tool: 'forecast',
      allowed: true,
      deniedReason: null,
      argumentsMd5: by('md5'),
      argumentsSha256: by('sha256'),
      source: 'gateway',
      verified: true,
    });
    expect(first?.sessionId).toMatch(/^[0-9a-f]{32}$/);
    expect(second?.argumentsSha256).toBe(first?.argumentsSha256);
    expect(third).toMatchObject({ argumentsMd5: '', argumentsSha256: '' });
    expect(odd).toMatchObject({ tool: 'x"\n\u2028', tokenId: null, workspaceId: null, principal: 'user:eve' });
    const text = linesIn(dir.path).join('\n');
    expect(text).not.toContain('swordfish');
    expect(text).not.toContain('sealed');
  });

  test('levels: hash leaves names out but can be asked for one, off keeps only refusals', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      log.record(call({ level: 'hash' }));
      log.record(call({ level: 'off' }));
      log.record(refusal({ level: 'off' }));
    }
    const [, hashed, refused, ...rest] = eventsIn(dir.path);
    expect(rest).toEqual([]);
    expect(hashed?.tool).toBe(`sha256:${createHash('sha256').update('forecast').digest('hex').slice(0, 32)}`);
    expect(refused).toMatchObject({ allowed: false, deniedReason: 'unauthorized' });
  });

  test('large arguments are hashed in slices, to the same hash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(await hashLarge(value)).toEqual(hashArguments(value));
        const sha256 = createHash('sha256')
          .update(canonicalize(value) ?? '')
          .digest('hex');
        expect(hashArguments(value).sha256).toBe(sha256);
      }),
    );
    const big = { rows: Array.from({ length: 20_000 }, (_, n) => ({ n, text: 'ü'.repeat(20) })) };
    let turns = 0;
    const other = setInterval(() => turns++, 0);
    expect(await hashLarge(big)).toEqual(hashArguments(big));
    clearInterval(other);
    expect(turns).toBeGreaterThan(0);
  });
});

describe('the chain', () => {
  const verify = (dir: string) => verifyLocal(dir, new Map());

  test('holds over restarts and over many files', async () => {
    using dir = tempDir();
    const small = { ...SETTINGS, maxEvents: 7 };
    for (let run = 0; run < 3; run++) {
      await using log = start(dir.path, { settings: small });
      for (let n = 0; n < 20; n++) log.record(call());
      await log.flush();
    }
    expect(filesOf(dir.path).length).toBeGreaterThan(2);
    expect(verify(dir.path)).toMatchObject({ lines: 61, problems: [], notes: [] });
  });

  const harm: Record<string, { by: (lines: string[]) => string[]; found: RegExp }> = {
    removed: { by: (lines) => lines.toSpliced(4, 1), found: /:5: it has number 6 where 5 should stand/ },
    altered: {
      by: (lines) => lines.with(4, (lines[4] ?? '').replace('tool-4', 'tool-9')),
      found: /:5: it was altered/,
    },
    reordered: {
      by: (lines) => lines.with(4, lines[5] ?? '').with(5, lines[4] ?? ''),
      found: /:5: it has number 6 where 5 should stand/,
    },
    'removed at the beginning': { by: (lines) => lines.slice(1), found: /:1: it has number 2 where 1 should stand/ },
    truncated: { by: (lines) => lines.slice(0, -3), found: /the lines 9–11 are missing at the end/ },
    invented: {
      by: (lines) => lines.toSpliced(4, 0, lines[4] ?? ''),
      found: /:6: it has number 5 where 6 should stand/,
    },
  };
  for (const [what, { by, found }] of Object.entries(harm))
    test(`a line that was ${what} is found, and nothing else is`, async () => {
      using dir = tempDir();
      await written(dir.path, 10);
      const [name = ''] = filesOf(dir.path);
      expect(verify(dir.path).problems).toEqual([]);
      writeFileSync(dir.at(name), `${by(linesIn(dir.path)).join('\n')}\n`);
      const { problems } = verify(dir.path);
      expect(problems[0]).toMatch(found);
    });

  test('a line that was altered and hashed anew is found by the one after it, and a whole file that is gone', async () => {
    using dir = tempDir();
    for (let run = 0; run < 3; run++) await written(dir.path, 10, { ...SETTINGS, maxEvents: 4 });
    const lines = linesIn(dir.path);
    const [body = ''] = (lines[0] ?? '').replace('chain.begun', 'chain.forged').split(',"hash":"');
    const forged = `${body},"hash":"${createHash('sha256').update(body).digest('hex')}"}`;
    const [first = '', second = ''] = filesOf(dir.path);
    expect(second).not.toBe('');
    const before = readFileSync(dir.at(first), 'utf8');
    writeFileSync(dir.at(first), before.replace(lines[0] ?? '', forged));
    expect(verify(dir.path).problems).toEqual([expect.stringMatching(/:2: it does not follow the line before it/)]);
    writeFileSync(dir.at(first), before);
    rmSync(dir.at(second));
    expect(verify(dir.path).problems.join()).toMatch(/are missing/);
    rmSync(dir.at(first));
    expect(verify(dir.path).problems.join()).toMatch(/lines up to \d+ are missing, and the log does not say why/);
  });

  test('half a line that a crash left is cut off and kept, the log says so, and goes on', async () => {
    using dir = tempDir();
    await written(dir.path, 5);
    const [name = ''] = filesOf(dir.path);
    appendFileSync(dir.at(name), '{"ts":"2026-01-02T03:0');
    expect(verify(dir.path)).toMatchObject({ problems: [], notes: [expect.stringContaining('half a line')] });
    await written(dir.path, 5);
    const { problems, notes, lines } = verify(dir.path);
    expect({ problems, lines }).toEqual({ problems: [], lines: 12 });
    expect(notes).toEqual([expect.stringMatching(/22 bytes were cut off at a start, and 0 lines were gone/)]);
    expect(readFileSync(dir.at(`${name}.cut`), 'utf8')).toBe('{"ts":"2026-01-02T03:0');
  });

  test('lines that were on disk and are gone are missed after the next start, too, and their numbers are not given again', async () => {
    using dir = tempDir();
    const crashed = dir.at('crashed');
    {
      await using log = start(dir.at('log'));
      for (let n = 0; n < 5; n++) log.record(call());
      await log.flush();
      cpSync(dir.at('log'), crashed, { recursive: true });
    }
    const [name = ''] = filesOf(crashed);
    writeFileSync(join(crashed, name), `${linesIn(crashed).slice(0, -2).join('\n')}\n`);
    const commits: string[] = [];
    {
      await using log = start(crashed, {
        recorder: { ...noRecorder, hand: async (entry) => void commits.push(saidOf(entry)) },
      });
      log.record(call());
    }
    const { problems, notes } = verify(crashed);
    expect(problems).toEqual([expect.stringContaining('lines 5–6 are missing')]);
    expect(notes).toEqual([expect.stringContaining('2 lines were gone')]);
    const events = eventsIn(crashed);
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 7, 8]);
    expect(commits).toEqual([
      `audit: 4 events (1–4) Slipway-Audit-Head: 4 ${events[3]?.hash}`,
      `audit: 2 events (7–8) Slipway-Audit-Head: 8 ${events[5]?.hash}`,
    ]);
  });

  test('old files go when the log says so, and a crash while they do looks like nothing else', async () => {
    using dir = tempDir();
    await using log = start(dir.at('log'));
    for (const tool of ['one', 'two', 'three']) {
      log.record(call({ tool }));
      await log.rotate();
    }
    log.record(call());
    await log.flush();
    const [oldest = '', ...newer] = filesOf(dir.at('log'));
    // As it is on disk at some moment is what a SIGKILL would leave: here the oldest is gone, and no other yet.
    const crashed = dir.at('crashed');
    cpSync(dir.at('log'), crashed, { recursive: true });
    rmSync(join(crashed, oldest));
    log.configure({ ...SETTINGS, keepMs: -1 });
    await log.rotate();
    expect(eventsIn(dir.at('log')).map(({ seq, method }) => [seq, method])).toEqual([[6, 'pruned']]);
    expect(verify(dir.at('log')).problems).toEqual([]);
    expect(verify(crashed).problems).toEqual([expect.stringContaining('the log does not say why')]);
    cpSync(dir.at('log'), crashed, { recursive: true });
    expect(filesOf(crashed)).toEqual([...newer, ...filesOf(dir.at('log'))]);
    expect(verify(crashed).problems).toEqual([]);
  });

  test('what is asked for while lines are written is done with all that there is by then', async () => {
    using dir = tempDir();
    const handed: string[] = [];
    const recorder = { ...noRecorder, hand: async ({ file }: { file: string }) => void handed.push(file) };
    await using log = start(dir.path, { recorder });
    let rotated: Promise<void> | undefined;
    log.follow(() => {
      if (rotated) return;
      // The first is written, and what is due after it is not yet done.
      log.record(call({ method: 'late' }));
      rotated = log.rotate();
    });
    log.record(call());
    await log.flush();
    await rotated;
    expect(handed.flatMap((file) => readFileSync(file, 'utf8').split('\n')).join()).toContain('"method":"late"');
    expect(filesOf(dir.path)).toHaveLength(handed.length);
    expect(verify(dir.path).problems).toEqual([]);
  });

  test('every line is safe from a power failure in time, also when that is due while lines are written', async () => {
    using dir = tempDir();
    await using log = start(dir.path, { settings: { ...SETTINGS, fsyncMs: 50 } });
    const safe = (): number =>
      existsSync(dir.at('head')) ? Number.parseInt(readFileSync(dir.at('head'), 'utf8'), 10) : 0;
    for (let seq = 1; seq <= 4; seq++) {
      // The first is the log's own: it has begun.
      if (seq > 1) log.record(call());
      await eventually(() => safe() === seq);
    }
  });

  test('large arguments hold up no line of others, and are lines themselves in the end', async () => {
    using dir = tempDir();
    await using log = start(dir.path);
    const large = 'x'.repeat(2 ** 21);
    for (let n = 0; n < 4; n++)
      log.record(call({ method: `large ${n}`, arguments: { large }, bodyBytes: large.length }));
    log.record(call({ method: 'small' }));
    await log.flush();
    const methods = eventsIn(dir.path).map(({ method }) => method);
    expect(methods).toEqual(['chain.begun', 'small', 'large 0', 'large 1', 'large 2', 'large 3']);
    expect(log.state()).toMatchObject({ waiting: 0, dropped: 0 });
    expect(verify(dir.path).problems).toEqual([]);
  });

  test('a file that was handed over just before a crash is not added to, and not handed over twice', async () => {
    using dir = tempDir();
    const handed: string[] = [];
    const recorder = {
      ...noRecorder,
      waiting: () => new Set(handed),
      hand: async ({ file }: { file: string }) => {
        handed.push(file);
        if (handed.length === 1) throw new Error('as far as the first run came');
      },
    };
    {
      await using log = start(dir.path, { recorder });
      log.record(call());
    }
    const [file = ''] = handed;
    const before = readFileSync(file, 'utf8');
    {
      await using log = start(dir.path, { recorder });
      log.record(call());
    }
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(new Set(handed).size).toBe(handed.length);
    expect(handed).toHaveLength(2);
    expect(verify(dir.path)).toMatchObject({ lines: 3, problems: [] });
  });
});

test('on its branch, too, a line that is altered or a file that is taken away is found', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  mkdirSync(dir.at('outbox'));
  {
    const outbox = { outbox: dir.at('outbox'), repository: dir.at('records.git') };
    await using recorder = gitRecorder({ ...outbox, remote: repo.url, log: silent });
    await using log = start(dir.at('audit'), { recorder, settings: { ...SETTINGS, maxEvents: 4 } });
    for (let n = 1; n <= 3; n++) {
      for (let m = 0; m < 4; m++) log.record(call({ tool: `tool-${n}` }));
      await log.flush();
    }
  }
  const verify = () => verifyBranch(repo.url, 'slipway/audit', new AbortController().signal);
  expect(await verify()).toMatchObject([{ lines: 13, problems: [] }]);
  const work = dir.at('work');
  git(dir.path, 'clone', '--quiet', '--branch', 'slipway/audit', repo.url, work);
  const whole = git(work, 'rev-parse', 'HEAD');
  const files = git(work, 'ls-files').split('\n');
  const push = (): void => {
    git(work, 'commit', '--quiet', '--all', '-m', 'nothing to see here');
    git(work, 'push', '--quiet', '--force', 'origin', 'HEAD:slipway/audit');
    git(work, 'reset', '--quiet', '--hard', whole);
  };
  const [first = ''] = files;
  writeFileSync(join(work, first), readFileSync(join(work, first), 'utf8').replace('tool-1', 'tool-9'));
  push();
  expect((await verify())[0]?.problems).toEqual([expect.stringContaining('it was altered')]);
  rmSync(join(work, files.at(-1) ?? ''));
  push();
  expect((await verify())[0]?.problems).toEqual([expect.stringContaining('are missing at the end')]);
});

test('what was gathered is committed when the schedule says so', async () => {
  const at = (text: string): Date => new Date(`2026-${text}:30Z`);
  const cases: [string, string, boolean][] = [
    ['* * * * *', '01-02T03:04', true],
    ['*/5 * * * *', '01-02T03:05', true],
    ['*/5 * * * *', '01-02T03:04', false],
    ['5/20 * * * *', '01-02T03:45', true],
    ['5-30/10,59 * * * *', '01-02T03:25', true],
    ['5-30/10,59 * * * *', '01-02T03:35', false],
    ['0 2-4 * * *', '01-02T05:00', false],
    ['0 0 1 */3 *', '04-01T00:00', true],
    ['0 0 1 */3 *', '03-01T00:00', false],
    ['0 0 */10 * *', '01-11T00:00', true],
    ['0 0 * * 7', '01-04T00:00', true], // A Sunday.
    ['0 0 * * 0', '01-04T00:00', true],
    ['0 0 13 * 5', '01-13T00:00', true], // Either the day …
    ['0 0 13 * 5', '01-02T00:00', true], // … or the weekday.
    ['0 0 13 * 5', '01-14T00:00', false],
    ['0 0 31 2 *', '03-03T00:00', false],
  ];
  for (const [schedule, when, due] of cases)
    expect([schedule, when, isDue(schedule, at(when))]).toEqual([schedule, when, due]);
  vi.useFakeTimers({ now: at('01-02T03:03'), toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  try {
    let times = 0;
    using following = followSchedule('*/5 * * * *', () => times++);
    void following;
    vi.advanceTimersByTime(10 * 60_000);
    expect(times).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});

describe('in bad times', () => {
  test('a flood of refusals from one address is told twenty times and then counted; others are told', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      for (let n = 0; n < 5000; n++) log.record(refusal({ principal: undefined, address: '10.0.0.1' }));
      log.record(refusal({ principal: undefined, address: '10.0.0.2' }));
    }
    const events = eventsIn(dir.path).filter(({ kind }) => kind === 'auth_failure');
    expect(events.filter(({ address }) => address === '10.0.0.2')).toHaveLength(1);
    const flood = events.filter(({ address }) => address === '10.0.0.1');
    expect(flood).toHaveLength(21);
    expect(flood.at(-1)).toMatchObject({ method: 'summary', detail: { count: 4980 } });
    expect(verifyLocal(dir.path, new Map()).problems).toEqual([]);
  });

  test('what was refused is counted, not kept', async () => {
    using dir = tempDir();
    await using log = start(dir.path);
    const before = heldBytes();
    for (let n = 0; n < 64; n++)
      log.record(refusal({ principal: `user:${n}`, kind: 'limit', arguments: { a: `${n}`.repeat(2 ** 20) } }));
    await log.flush();
    expect(heldBytes() - before).toBeLessThan(2 ** 24);
  });

  test('addresses without number fill neither memory nor disk; a network of IPv6 is one', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      for (let n = 0; n < 30_000; n++)
        log.record(refusal({ principal: undefined, address: `10.0.${(n >> 8) & 63}.${n & 255}` }));
    }
    // A thousand told, and as many callers counted.
    expect(linesIn(dir.path).length).toBeLessThan(2100);
    {
      await using log = start(dir.at('v6'));
      for (let n = 0; n < 5000; n++)
        log.record(refusal({ principal: undefined, address: `2001:db8::${n.toString(16)}` }));
    }
    expect(linesIn(dir.at('v6'))).toHaveLength(1 + 20 + 1);
  });

  test('beyond so many strangers refusals are counted for all, and put on none; who is known does not vanish in them', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      for (let n = 0; n < 1100; n++)
        log.record(refusal({ principal: undefined, address: `10.1.${n >> 8}.${n & 255}` }));
      log.record(refusal({ address: '10.1.0.1' }));
    }
    const summaries = eventsIn(dir.path).filter(({ method }) => method === 'summary');
    expect(summaries).toMatchObject([{ kind: 'auth_failure', deniedReason: 'various', detail: { count: 100 } }]);
    expect(summaries[0]).not.toHaveProperty('address');
    expect(eventsIn(dir.path).filter(({ principal }) => principal === 'token:ada')).toHaveLength(1);
  });

  test('names of any length are kept short', async () => {
    const trace = new Trace({ headers: {} });
    const params = { name: `${'n'.repeat(600)}\ud83d` };
    traceRequest(trace, { jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    expect(trace.tool).toBe(`${'n'.repeat(512)}…`);
    traceRequest(trace, { jsonrpc: '2.0', id: 2, method: 'm'.repeat(1_000_000) });
    expect(trace.method).toBe(`${'m'.repeat(512)}…`);
    // Wherever they come from, they are gone with their event.
    using dir = tempDir();
    await using log = start(dir.path);
    const before = heldBytes();
    for (let n = 0; n < 64; n++) log.record(call({ principal: `${n}`.repeat(2 ** 20) }));
    await log.flush();
    expect(heldBytes() - before).toBeLessThan(2 ** 24);
  });

  test('large bodies that come faster than they are hashed do not pile up', async () => {
    using dir = tempDir();
    let hashed = 0;
    const large = () => ({
      get a(): number {
        hashed++;
        return 1;
      },
    });
    {
      await using log = start(dir.path);
      for (let n = 0; n < 20; n++) log.record(call({ arguments: large(), bodyBytes: 8 * 2 ** 20 }));
      // Of 160 MB, no more than 64 are held; the first is being hashed.
      expect(hashed).toBeGreaterThanOrEqual(20 - 8 - 1);
    }
    expect(hashed).toBe(20);
    const events = eventsIn(dir.path).filter(({ kind }) => kind === 'tool_call_trace');
    const { sha256 } = hashArguments({ a: 1 });
    expect(events.map(({ argumentsSha256 }) => argumentsSha256)).toEqual(Array<string>(20).fill(sha256));
  });

  test.runIf(process.platform === 'linux' && process.getuid?.() === 0).for(['continue', 'stop'] as const)(
    'a full disk (onFailure: %s) is told, loses nothing that it need not, and is over when there is room',
    async (onFailure) => {
      using dir = tempDir();
      const disk = dir.at('disk');
      mkdirSync(disk);
      const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', disk]);
      expect(mount.status, String(mount.stderr)).toBe(0);
      try {
        await using log = start(join(disk, 'audit'), { settings: { ...SETTINGS, onFailure, fsyncMs: 100 } });
        writeFileSync(join(disk, 'fill'), Buffer.alloc(960 * 1024));
        let taken = 0;
        while (log.state().lastError === undefined) {
          for (let n = 0; n < 50; n++, taken++) log.record(call());
          await log.flush();
          expect(taken).toBeLessThan(10_000);
        }
        expect(log.state().lastError).toContain('ENOSPC');
        expect(log.blocked).toBe(onFailure === 'stop');
        log.record(call({ tool: 'while-full' }));
        rmSync(join(disk, 'fill'));
        await eventually(() => log.state().lastError === undefined);
        await log.flush();
        expect(log.blocked).toBe(false);
        expect(log.state()).toMatchObject({ dropped: 0, waiting: 0 });
        const tools = eventsIn(join(disk, 'audit')).filter(({ kind }) => kind === 'tool_call_trace');
        expect(tools).toHaveLength(taken + 1);
        expect(verifyLocal(join(disk, 'audit'), new Map()).problems).toEqual([]);
      } finally {
        expect(spawnSync('umount', [disk]).status).toBe(0);
      }
    },
  );

  test('what a disk took only half of, and would not give back, stands before no line', async () => {
    using dir = tempDir();
    await using log = start(dir.path);
    await log.flush();
    const handle = await open(dir.at('any'), 'w');
    await handle.close();
    const handles = Object.getPrototypeOf(handle) as FileHandle;
    using append = vi.spyOn(handles, 'appendFile').mockImplementationOnce(async function (this: FileHandle) {
      await this.write('{"ts":"half');
      throw new Error('EIO: i/o error, write');
    });
    using truncate = vi.spyOn(handles, 'truncate').mockRejectedValueOnce(new Error('EIO: i/o error, ftruncate'));
    log.record(call());
    await log.flush();
    expect(log.state().lastError).toContain('EIO');
    expect(linesIn(dir.path)).toHaveLength(1);
    await eventually(() => log.state().lastError === undefined);
    expect([append.mock.calls.length, truncate.mock.calls.length]).toEqual([2, 2]);
    expect(verifyLocal(dir.path, new Map())).toMatchObject({ lines: 2, problems: [], notes: [] });
  });

  test('a place in the outbox that cannot be had for a while stops the log only that long, with nothing new to write', async () => {
    using dir = tempDir();
    const handed: string[] = [];
    let full = true;
    const recorder = {
      ...noRecorder,
      hand: async ({ file }: { file: string }) => {
        if (full) throw new Error('ENOSPC: no space left on device');
        handed.push(file);
      },
    };
    await using log = start(dir.path, { recorder, settings: { ...SETTINGS, onFailure: 'stop', maxEvents: 5 } });
    for (let n = 0; n < 10; n++) log.record(call());
    await log.flush();
    expect(log.blocked).toBe(true);
    full = false;
    await eventually(() => !log.blocked);
    expect(handed).toHaveLength(1);
    expect(log.state()).toMatchObject({ waiting: 0, dropped: 0 });
  });

  test('more than can wait is counted, said in the status and, when it is over, in the log', async () => {
    using dir = tempDir();
    const told: string[] = [];
    {
      await using log = start(dir.path, { log: (_level, message) => told.push(message) });
      for (let n = 0; n < 25_000; n++) log.record(call());
      expect(log.state()).toMatchObject({ dropped: 5001 });
      await log.flush();
      log.record(call({ tool: 'after' }));
    }
    expect(told).toContainEqual(expect.stringContaining('left out'));
    const events = eventsIn(dir.path);
    expect(events.find(({ method }) => method === 'dropped')?.detail).toEqual({ count: 5001 });
    expect(verifyLocal(dir.path, new Map())).toMatchObject({ problems: [], notes: [expect.stringContaining('5001')] });
    expect(existsSync(dir.at('head'))).toBe(true);
  });
});
