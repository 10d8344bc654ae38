/** The log's reader goes away: what serves goes on, and can still be ended. */
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
