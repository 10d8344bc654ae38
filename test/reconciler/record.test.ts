/** Records on their way to an orphan branch of the config repo; another implementation of git reads what arrives. */
import fs, { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import * as isomorphic from 'isomorphic-git';
import { expect, test } from 'vitest';
import { AUDIT_BRANCH, Branch } from '../../reconciler/record/branch.ts';
import { outbox } from '../../reconciler/record/outbox.ts';
import type { AuditRecord } from '../../reconciler/record/record.ts';
import { gitRecorder, type Recorder } from '../../reconciler/record/recorder.ts';
import { silent } from '../../schemas/log.ts';
import { git, TestRepo } from '../helpers/repo.ts';
import { tempDir, type TempDir } from '../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;

function record(subject: string): AuditRecord {
  const commit = { id: subject.padEnd(8, '0'), at: '2026-01-02T03:04:05Z' };
  const nothing = { changes: [], drift: [], guards: [], allowed: [], outcomes: [], issues: [] };
  const at = new Date().toISOString();
  return {
    formatVersion: 1,
    type: 'reconcile',
    at,
    durationMs: 1,
    result: 'applied',
    commit,
    planDigest: 'p',
    ...nothing,
  };
}

function recorder(dir: TempDir, remote: string | undefined, retryMs = 3_600_000): Recorder {
  mkdirSync(dir.at('outbox'), { recursive: true });
  return gitRecorder({ outbox: dir.at('outbox'), repository: dir.at('records.git'), remote, log: silent, retryMs });
}

/** Newest first, as another implementation of git reads them. */
async function history(gitdir: string): Promise<{ message: string; author: string; parents: number }[]> {
  const log = await isomorphic.log({ fs, gitdir, ref: AUDIT_BRANCH });
  return log.map(({ commit }) => ({
    message: commit.message,
    author: `${commit.author.name} <${commit.author.email}>`,
    parents: commit.parent.length,
  }));
}

const subjects = async (gitdir: string): Promise<string[]> =>
  (await history(gitdir)).map(({ message }) => message.split('\n')[0] ?? '').toReversed();

test('each record is a commit of its own on an orphan branch, and no other branch is touched', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  const main = repo.push({ 'a.yaml': 'a: 1\n' });
  await using it = recorder(dir, repo.url);
  it.write(record('eins'), undefined);
  it.write(record('zwei-ü'), undefined);
  await it.flush();
  const log = await history(repo.remote);
  expect(await subjects(repo.remote)).toEqual(['applied eins0000', 'applied zwei-ü00']);
  expect(log.map((entry) => entry.parents)).toEqual([1, 0]);
  expect(log[0]).toMatchObject({ author: 'slipway <slipway@localhost>' });
  expect(log[0]?.message).toContain('\n\nSlipway-Commit: zwei-ü00\nSlipway-Plan: p');
  const tree = git(repo.remote, 'ls-tree', '-r', '--name-only', AUDIT_BRANCH).split('\n');
  expect(tree).toHaveLength(2);
  for (const path of tree) {
    expect(path).toMatch(/^\d{4}\/\d\d\/\d\d\/.*\.json$/);
    expect(JSON.parse(git(repo.remote, 'show', `${AUDIT_BRANCH}:${path}`))).toMatchObject({ result: 'applied' });
  }
  expect(git(repo.remote, 'rev-parse', 'main')).toBe(main);
  expect(repo.git('status', '--porcelain')).toBe('');
  expect(it.state()).toMatchObject({ pending: 0, lastCommit: git(repo.remote, 'rev-parse', AUDIT_BRANCH) });
});

test('what the remote does not take waits, and is delivered once when it is back, by itself', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  renameSync(repo.remote, `${repo.remote}.away`);
  await using it = recorder(dir, repo.url, 50);
  it.write(record('one'), undefined);
  await it.flush();
  it.write(record('two'), undefined);
  await it.flush();
  expect(it.state()).toMatchObject({ pending: 2, lastError: expect.stringContaining('git ls-remote') as string });
  renameSync(`${repo.remote}.away`, repo.remote);
  await it.flush();
  expect(it.state()).toEqual({ pending: 0, lastCommit: git(repo.remote, 'rev-parse', AUDIT_BRANCH) });
  await it.flush();
  expect(await subjects(repo.remote)).toEqual(['applied one00000', 'applied two00000']);
});

test('records of a run that ended before they were delivered are delivered by the next', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  {
    await using it = recorder(dir, `${repo.url}.nowhere`);
    it.write(record('one'), undefined);
  }
  await using it = recorder(dir, repo.url);
  it.write(record('two'), undefined);
  await it.flush();
  expect(await subjects(repo.remote)).toEqual(['applied one00000', 'applied two00000']);
});

test('what somebody else pushed meanwhile is built upon, never overwritten', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  using elsewhere = tempDir();
  await using mine = recorder(dir, repo.url);
  await using other = recorder(elsewhere, repo.url);
  for (const [who, subject] of [
    [mine, 'a'],
    [other, 'b'],
    [mine, 'c'],
    [other, 'd'],
  ] as const) {
    who.write(record(subject), undefined);
    await who.flush();
  }
  expect(await subjects(repo.remote)).toEqual(
    ['a', 'b', 'c', 'd'].map((subject) => `applied ${subject.padEnd(8, '0')}`),
  );
});

test('two that push at the same moment lose nothing: who comes second tries again', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  using elsewhere = tempDir();
  await using mine = recorder(dir, repo.url);
  await using other = recorder(elsewhere, repo.url);
  for (let round = 0; round < 5; round++) {
    mine.write(record(`m${round}`), undefined);
    other.write(record(`o${round}`), undefined);
    await Promise.all([mine.flush(), other.flush()]);
  }
  await mine.flush();
  await other.flush();
  expect(await subjects(repo.remote)).toHaveLength(10);
  expect([mine.state().pending, other.state().pending]).toEqual([0, 0]);
});

test('killed between the push and the clean-up, a record is not written twice', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  mkdirSync(dir.at('outbox'));
  const box = outbox(dir.at('outbox'));
  box.add({ at: '2026-01-02T03:04:05.678Z', subject: 'one', trailers: [], content: '{}' });
  const place = { mirror: dir.at('records.git'), remote: repo.url, branch: AUDIT_BRANCH };
  const first = await new Branch(place).append(box.pending(), never());
  box.add({ at: '2026-01-02T03:04:06.000Z', subject: 'two', trailers: [], content: '{}' });
  await new Branch(place).append(box.pending(), never());
  const last = await new Branch(place).append(box.pending(), never());
  expect(await subjects(repo.remote)).toEqual(['one', 'two']);
  expect(git(repo.remote, 'rev-parse', `${last}^`)).toBe(first);
});

test('a large record goes to git as a file beside its entry, also after a crash, and nothing of it is left', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  mkdirSync(dir.at('outbox'));
  const content = JSON.stringify({ fields: 'é'.repeat(1_000_001) });
  const entry = { at: '2026-01-02T03:04:05.678Z', subject: 'large', trailers: [], path: 'large.json', content };
  outbox(dir.at('outbox')).add(entry);
  writeFileSync(dir.at('outbox', 'half.content'), 'written when the power failed');
  const box = outbox(dir.at('outbox'));
  expect(readdirSync(dir.at('outbox'))).toHaveLength(2);
  const [pending] = box.pending();
  expect(pending?.content).toBe('');
  const place = { mirror: dir.at('records.git'), remote: repo.url, branch: AUDIT_BRANCH };
  await new Branch(place).append(box.pending(), never());
  expect(git(repo.remote, 'show', `${AUDIT_BRANCH}:large.json`)).toBe(content);
  box.remove(pending?.id ?? '');
  expect(readdirSync(dir.at('outbox'))).toEqual([]);
});

test('however often it is written to, the repository of our own stays in few packs, with all that it had', async () => {
  using dir = tempDir();
  const mirror = dir.at('records.git');
  const branch = new Branch({ mirror, remote: mirror, branch: AUDIT_BRANCH });
  for (let n = 0; n < 60; n++) {
    const entry = { id: `${n}`, at: '2026-01-02T03:04:05.678Z', subject: `${n}`, trailers: [], path: `${n}.json` };
    await branch.append([{ ...entry, content: `{"n":${n}}` }], never());
  }
  expect(
    readdirSync(dir.at('records.git', 'objects', 'pack')).filter((name) => name.endsWith('.pack')).length,
  ).toBeLessThan(30);
  expect(await subjects(mirror)).toEqual(Array.from({ length: 60 }, (_, n) => `${n}`));
  expect(git(mirror, 'show', `${AUDIT_BRANCH}:0.json`)).toBe('{"n":0}');
});

test('a branch that was deleted, a lost repository of our own, and a lock left behind are no obstacles', async () => {
  using repo = new TestRepo();
  using dir = tempDir();
  await using it = recorder(dir, repo.url);
  const write = async (subject: string): Promise<string[]> => {
    it.write(record(subject), undefined);
    await it.flush();
    expect(it.state().lastError).toBeUndefined();
    return subjects(repo.remote);
  };
  await write('one');
  git(repo.remote, 'update-ref', '-d', `refs/heads/${AUDIT_BRANCH}`);
  expect(await write('two')).toContain('applied two00000');
  renameSync(dir.at('records.git'), dir.at('gone'));
  expect(await write('three')).toContain('applied three000');
  writeFileSync(dir.at('records.git', 'refs', 'slipway', 'audit.lock'), '');
  expect(await write('four')).toContain('applied four0000');
  renameSync(dir.at('records.git', 'HEAD'), dir.at('records.git', 'DAEH'));
  expect(await write('five')).toContain('applied five0000');
});

test('without a remote, records are kept in a repository of our own', async () => {
  using dir = tempDir();
  await using it = recorder(dir, undefined);
  it.write(record('one'), undefined);
  it.write(record('two'), undefined);
  await it.flush();
  expect(it.state().pending).toBe(0);
  expect(await subjects(dir.at('records.git'))).toEqual(['applied one00000', 'applied two00000']);
});

test(
  'a remote that accepts the connection and says nothing does not hold up the end',
  { timeout: 120_000 },
  async () => {
    using dir = tempDir();
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const it = recorder(dir, `http://127.0.0.1:${port}/config.git`);
    it.write(record('one'), undefined);
    const began = performance.now();
    await it[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(it.state().pending).toBe(1);
    server.close();
  },
);
