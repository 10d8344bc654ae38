/** Who may ask for a sync, and nothing else, learns no more of what it came to than of anything else. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { raw } from '../gateway/helpers/gateway.ts';
import { resource, server } from '../helpers/config.ts';
import { Desk } from '../helpers/slipway.ts';

const token = (name: string, role: string): string =>
  resource('Token', name, { sha256: createHash('sha256').update(name).digest('hex'), roles: [role] });

test('a sync tells each caller its share: of commits, of servers that failed, and of what is wrong with the config', async () => {
  await using desk = new Desk();
  const access = [
    token('ops', 'admin'),
    token('bell', 'ringer'),
    resource('Role', 'ringer', {
      operations: ['sync'],
      rules: [{ verbs: ['view'], resources: ['servers'], names: ['wiki'] }],
    }),
  ];
  desk.push({ 'access.yaml': access.join('\n---\n'), 'wiki.yaml': server('wiki', 'good', ['v1']) });
  const run = await desk.up();
  const url = await run.serving;
  const sync = async (who: string): Promise<{ status: number; text: string }> =>
    raw(url, {
      method: 'POST',
      path: '/api/v1/sync?wait=true&retry=true',
      headers: { Authorization: `Bearer ${who}`, 'Content-Type': 'application/json' },
      body: '{}',
    });
  desk.push({ 'wiki.yaml': server('wiki', 'good', ['v2']), 'acme.yaml': server('acme', 'crash-at-start') }, 'Buy Acme');
  const share = await sync('bell');
  expect(share.status).toBe(200);
  expect(share.text).not.toMatch(/acme/i);
  expect(JSON.parse(share.text)).toMatchObject({ outcomes: [{ address: 'Server/wiki', result: 'replaced' }] });
  expect((await sync('ops')).text).toMatch(/Buy Acme.*Server\/acme/);
  desk.push({ 'acme.yaml': resource('Server', 'acme', { command: ['x'], nonsense: 1 }) }, 'Oops');
  const refused = await sync('bell');
  expect(refused.status).toBe(400);
  expect(refused.text).not.toMatch(/acme/i);
  expect((await sync('ops')).text).toMatch(/acme\.yaml/);
  desk.git(desk.remote, 'update-ref', '-d', 'refs/heads/main');
  const unread = await sync('bell');
  expect(unread.status).toBeGreaterThanOrEqual(400);
  expect(unread.text).not.toContain(desk.remote);
});
