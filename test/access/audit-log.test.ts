/** The log itself: what the chain proves, and what a crash costs. */
import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { verifyBranch } from '../../reconciler/record/audit/branch-log.ts';
import { verifyLocal } from '../../reconciler/record/audit/verify.ts';
import { gitRecorder, noRecorder } from '../../reconciler/record/recorder.ts';
import { silent } from '../../schemas/log.ts';
import { git, TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';
import { eventually } from '../helpers/until.ts';
import { SETTINGS, start, call, filesOf, linesIn, eventsIn, saidOf, written } from './helpers/audit-log.ts';

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
