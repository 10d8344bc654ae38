/** A real Slipway that a forge talks to: a push is applied, a pull request gets its plan, and both are in its status. */
import { expect, test } from 'vitest';
import { raw } from '../gateway/helpers/gateway.ts';
import { resource } from '../helpers/config.ts';
import { HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';
import { DELIVERIES, SECRET, type Delivery } from './helpers/deliveries.ts';
import { TestForge, TOKEN } from './helpers/forge.ts';

test('push, pull request, status', async () => {
  await using forge = await TestForge.start('github');
  await using desk = new Desk();
  const ref = (key: string) => ({ secretRef: { name: 'forge', key } });
  const review = {
    forge: 'github',
    url: forge.url,
    repository: 'acme/mcp',
    token: ref('token'),
    webhook: { secret: ref('hook') },
  };
  desk.push({
    'gw.yaml': resource('Gateway', 'main', { review }),
    'secret.yaml': resource('Secret', 'forge', {
      data: { token: { env: 'FORGE_TOKEN' }, hook: { env: 'FORGE_HOOK' } },
    }),
    'hello.mjs': HELLO_PROGRAM,
  });
  const running = await desk.up(['--ref', 'main'], { FORGE_TOKEN: TOKEN, FORGE_HOOK: SECRET });
  const url = await running.serving;
  const deliver = async ({ headers, body }: Delivery): Promise<number> =>
    (await raw(url, { method: 'POST', path: '/hooks/git', headers, body })).status;

  // It looks at the repo once an hour, unless somebody tells it.
  const id = desk.push({ 'hello.yaml': helloServer('hello') });
  expect(await deliver(DELIVERIES.github.push())).toBe(202);
  await eventually(async () => (await desk.status()).lastApplied?.id === id);
  desk.write({ 'hello.yaml': helloServer('hello', 'Servus') });
  desk.git(desk.config, 'commit', '--quiet', '--all', '-m', 'Say it otherwise');
  desk.git(desk.config, 'push', '--quiet', 'origin', 'HEAD:refs/pull/7/head');
  expect(await deliver(DELIVERIES.github.request())).toBe(202);
  await forge.until(() => forge.statuses.length === 1);
  expect(forge.comments[0]?.body).toContain('- `+/- Server/hello` will be replaced (new beside old, no gap)');
  expect(await deliver({ ...DELIVERIES.github.request(), headers: { 'x-hub-signature-256': 'sha256=0' } })).toBe(401);
  const { out } = await desk.slipway(['status', '--state-dir', desk.state]);
  expect(out).toMatch(/^Forge +github, heard from \d+\S* ago: its plan is made$/m);
  expect(out).toMatch(/^ +refused \d+\S* ago: The delivery is not signed as it should be\.$/m);
  expect(out).toContain('#7 changes: 0 to create, 0 to update, 1 to replace, 0 to delete');
  const events = await desk.slipway(['events', '--state-dir', desk.state]);
  expect(events.out).toMatch(/Normal +Reviewed .*#7 at [0-9a-f]{8}, changes/);
  const { err } = await running.stop();
  expect(`${out}${err}${running.log}`).not.toMatch(new RegExp(`${TOKEN}|${SECRET}`));
});
