/** What surrounds `slipway up` is not as it should be: it says so, or goes on, and can always be ended. */
import { expect, test } from 'vitest';
import { raw } from '../gateway/helpers/gateway.ts';
import { GATEWAY } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';

test('whoever read the log has gone: it serves, follows the config, and ends when it is told to', async () => {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY });
  const running = await desk.up();
  const url = await running.serving;
  running.child.stderr?.destroy();
  desk.push({ 'readme.md': 'a commit to be told of' });
  expect((await desk.sync()).code).toBe(0);
  expect((await raw(url, { path: '/healthz' })).status).toBe(200);
  expect((await running.stop()).code).toBe(0);
});

test('a state directory where none can be is refused at once', async () => {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY });
  const { code, err } = await desk.slipway(['up', '--once', '--repo', desk.remote, '--state-dir', '/proc/none']);
  expect([code, err]).toEqual([1, expect.stringContaining('[state-unwritable]')]);
});

test('a repository whose HEAD names no branch is not called empty: it says which branches there are', async () => {
  await using desk = new Desk();
  desk.write({ 'gateway.yaml': GATEWAY });
  desk.git(desk.config, 'add', '--all');
  desk.git(desk.config, 'commit', '--quiet', '-m', 'first');
  desk.git(desk.config, 'push', '--quiet', 'origin', 'HEAD:refs/heads/trunk');
  const up = (...args: string[]) =>
    desk.slipway(['up', '--once', '--repo', desk.remote, '--state-dir', desk.state, ...args]);
  const { code, err } = await up();
  expect([code, err]).toEqual([1, expect.stringMatching(/names no branch.*\[ref-not-found\]\nhint: .*--ref: trunk/)]);
  expect((await up('--ref', 'trunk')).code).toBe(0);
});
