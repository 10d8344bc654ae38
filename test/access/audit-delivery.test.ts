/** What was delivered stays known while the remote is away, and what waits is delivered by the next run. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { delivered } from '../../reconciler/record/audit/branch-log.ts';
import { gitRecorder } from '../../reconciler/record/recorder.ts';
import { silent } from '../../schemas/log.ts';
import { Desk } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';

const signal = new AbortController().signal;

function recorderAt(desk: Desk) {
  mkdirSync(join(desk.home, 'outbox'), { recursive: true });
  return gitRecorder({
    outbox: join(desk.home, 'outbox'),
    repository: join(desk.home, 'records.git'),
    remote: desk.remote,
    log: silent,
  });
}

function entry(desk: Desk, number: number) {
  const file = join(desk.home, `${number}.jsonl`);
  writeFileSync(file, `{"line":${number}}\n`);
  return {
    at: new Date().toISOString(),
    subject: `audit: ${number}`,
    trailers: ['Slipway-Audit-Chain: chain', `Slipway-Audit-Head: ${number} ${String(number).repeat(64)}`],
    path: `events/chain/${number}.jsonl`,
    file,
  };
}

const known = async (desk: Desk): Promise<number[]> => [
  ...((await delivered(join(desk.home, 'records.git'), 'slipway/audit', signal)).get('chain')?.keys() ?? []),
];

test('a remote that is away for a while takes none of what the log is compared with', async () => {
  await using desk = new Desk();
  await using recorder = recorderAt(desk);
  await recorder.hand(entry(desk, 1));
  await recorder.flush();
  expect(await known(desk)).toEqual([1]);
  renameSync(desk.remote, `${desk.remote}.away`);
  for (let tries = 0; tries < 2; tries++) {
    await recorder.hand(entry(desk, 2 + tries));
    await recorder.flush();
    expect(recorder.state().pending).toBe(1 + tries);
    expect(await known(desk)).toContain(1);
  }
  renameSync(`${desk.remote}.away`, desk.remote);
  await recorder.flush();
  expect([recorder.state().pending, await known(desk)]).toEqual([0, [3, 2, 1]]);
});

test('a damaged repository is made anew, and has what was delivered', async () => {
  await using desk = new Desk();
  await using recorder = recorderAt(desk);
  await recorder.hand(entry(desk, 1));
  await recorder.flush();
  writeFileSync(join(desk.home, 'records.git', 'HEAD'), 'nonsense');
  await recorder.hand(entry(desk, 2));
  await recorder.flush();
  await recorder.flush();
  expect([recorder.state().pending, await known(desk)]).toEqual([0, [2, 1]]);
});

test('what a remote refused before a crash is delivered by the next run, without anything new', async () => {
  await using desk = new Desk();
  const hook = join(desk.remote, 'hooks', 'pre-receive');
  writeFileSync(hook, '#!/bin/sh\nexit 1\n');
  chmodSync(hook, 0o755);
  const before = recorderAt(desk);
  await before.hand(entry(desk, 1));
  await before.flush();
  expect(before.state().pending).toBe(1);
  // Ended as a crash would: nothing is tried once more.
  chmodSync(hook, 0o644);
  await using after = recorderAt(desk);
  await eventually(() => after.state().pending === 0);
  expect(await known(desk)).toEqual([1]);
});
