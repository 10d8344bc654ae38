/** The whole program: a config in git, a consent, a restart. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { conditionOf } from '../../schemas/status.ts';
import { GATEWAY } from '../helpers/configs.ts';
import { client } from '../gateway/helpers/gateway.ts';
import { Desk } from '../helpers/slipway.ts';
import { Browser, ConsentProvider } from './helpers/consent-provider.ts';
import { lastToken, ProtectedServer } from './helpers/protected-server.ts';
import { call, urlIn, type Answer } from './helpers/scene.ts';

test('a consent outlives Slipway, stands nowhere in clear, and can be taken back', async () => {
  const provider = await ConsentProvider.start();
  onTestFinished(() => provider[Symbol.asyncDispose]());
  const server = await ProtectedServer.start(provider.url);
  onTestFinished(() => server[Symbol.asyncDispose]());
  await using desk = new Desk();
  const spec = { url: server.url, privateNetwork: true, auth: { oauth: {} } };
  const docs = { apiVersion: 'slipway/v1', kind: 'Server', metadata: { name: 'docs' }, spec };
  desk.push({ 'gateway.yaml': GATEWAY, 'docs.yaml': JSON.stringify(docs) });
  const running = await desk.up();
  const ask = async (gateway: string): Promise<Answer> => {
    await using caller = await client(`${gateway}/servers/docs/mcp`);
    return await call(caller, 'whoami');
  };
  const link = urlIn(await ask(await running.serving));
  const waiting = (await desk.status()).servers.find(({ name }) => name === 'docs');
  expect(waiting && conditionOf(waiting, 'Authorized')).toMatchObject({
    status: 'False',
    reason: 'NeedsAuthorization',
  });
  expect(JSON.stringify(waiting)).not.toContain('state=');
  expect((await desk.slipway(['describe', 'server', 'docs', '--state-dir', desk.state])).out).toContain(
    'docs for local',
  );
  await new Browser().consent(link, 'ada');
  expect(await ask(await running.serving)).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  const { token } = lastToken(server);
  await running.stop();

  const again = await desk.up();
  expect(await ask(await again.serving)).toMatchObject({ content: [{ text: 'whoami: ada' }] });
  const found = (await desk.status()).servers.find(({ name }) => name === 'docs');
  expect(found && conditionOf(found, 'Authorized')).toBeUndefined();
  const files = readdirSync(desk.state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const written = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'latin1')).join('\n');
  for (const secret of [token, token.slice(-30)]) {
    expect(written).not.toContain(secret);
    expect(running.log + again.log).not.toContain(secret);
  }
  expect(statSync(join(desk.state, 'vault')).mode & 0o777).toBe(0o700);
  expect(statSync(join(desk.state, 'vault.key')).mode & 0o777).toBe(0o600);
  expect(provider.count('/token', 'authorization_code')).toBe(1);

  const forget = ['auth', 'forget', 'docs', '--state-dir', desk.state];
  expect(await desk.slipway(forget)).toMatchObject({
    code: 0,
    out: expect.stringContaining('consent of local for docs'),
  });
  expect((await ask(await again.serving)).isError).toBe(true);
  expect(await desk.slipway(forget)).toMatchObject({ code: 1, err: expect.stringContaining('is kept here') });
});
