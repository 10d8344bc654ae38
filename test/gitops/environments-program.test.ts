/** The real program in an environment: what an Overlay, a Template and a Workspace come to, and what is suspended. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { conditionOf } from '../../schemas/status.ts';
import { GATEWAY, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';

const TEMPLATE = `apiVersion: slipway/v1
kind: Template
metadata: { name: greeter }
spec:
  params: { greeting: { required: true } }
  server: { command: [node, hello.mjs], files: [hello.mjs], env: [{ name: GREETING, value: "\${greeting}" }] }
---
apiVersion: slipway/v1
kind: Server
metadata: { name: hello }
spec:
  template: { name: greeter, params: { greeting: Hello } }
`;

const PROD = `apiVersion: slipway/v1
kind: Overlay
metadata: { name: prod }
spec:
  environments: [prod]
  patches:
    - target: { kind: Server, name: hello }
      patch:
        - { op: replace, path: /spec/env/0/value, value: Good day }
`;

test('from a commit to a call, in an environment', { timeout: 180_000 }, async () => {
  await using desk = new Desk();
  const notes = join(desk.home, 'notes');
  mkdirSync(notes);
  writeFileSync(join(notes, 'a.md'), 'a');
  const workspace = (name: string, spec: string): string =>
    `---\napiVersion: slipway/v1\nkind: Workspace\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  desk.push({
    'gateway.yaml': GATEWAY.concat('spec: { listen: 127.0.0.1:0 }\n'),
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': TEMPLATE,
    'prod.yaml': PROD,
    'workspaces.yaml':
      workspace('config', `{ git: { url: "file://${desk.remote}" } }`) +
      workspace('notes', `{ path: ${notes} }`) +
      workspace('gone', `{ path: ${notes}-gone }`),
  });
  const refused = await desk.slipway([
    'up',
    '--repo',
    desk.remote,
    '--env',
    'prodd',
    '--once',
    '--state-dir',
    desk.state,
  ]);
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('Did you mean prod?') });
  await desk.up(['--env', 'prod']);
  const target = ['--state-dir', desk.state];
  expect((await desk.slipway(['call', 'hello', 'hello', '{"name":"Ada"}', ...target])).out).toContain('Good day, Ada');
  const describe = (await desk.slipway(['describe', 'server', 'hello', ...target])).out;
  expect(describe).toContain('spec.env[0].value comes from Overlay/prod (prod.yaml:9)');
  expect(describe).toContain('spec.command comes from Template/greeter (hello.yaml:6)');
  expect(describe).toContain('refers to Template/greeter');

  const synced = await desk.slipway(['workspace', 'sync', ...target]);
  expect(synced.code).toBe(1);
  expect(synced.out).toMatch(/workspace\/config unchanged at [0-9a-f]{12}, 5 files/);
  expect(synced.out).toMatch(/workspace\/gone failed: There is no folder/);
  expect((await desk.slipway(['workspace', 'sync', 'config', 'notes', ...target])).code).toBe(0);
  const unknown = await desk.slipway(['workspace', 'sync', 'nots', ...target]);
  expect(unknown).toMatchObject({ code: 1, err: expect.stringContaining('Did you mean notes?') });
  const table = (await desk.slipway(['get', 'workspaces', ...target])).out;
  expect(table).toMatch(/notes +True +- +\S+ +1 +1 /);
  expect(table).toMatch(/gone +False/);
  expect((await desk.slipway(['describe', 'workspace', 'config', ...target])).out).toContain(
    join(desk.state, 'workspaces/config/current'),
  );
  // One that is not ready makes nothing else unready.
  expect(conditionOf(await desk.status(), 'Ready')?.status).toBe('True');

  expect((await desk.slipway(['suspend', 'server', 'hello', '-m', 'Not now'])).code).toBe(0);
  desk.push({ 'prod.yaml': PROD.replace('Good day', 'Welcome') });
  const waited = await desk.slipway(['sync', '--wait', ...target]);
  expect(waited.out).toContain('Server/hello held');
  expect((await desk.slipway(['call', 'hello', 'hello', '{"name":"Ada"}', ...target])).out).toContain('Good day, Ada');
  expect((await desk.slipway(['describe', 'server', 'hello', ...target])).out).toMatch(
    /suspended by Server\/hello \(hello\.yaml:8\) since commit/,
  );
  await desk.slipway(['resume', 'server', 'hello', '-m', 'Now']);
  desk.git(desk.config, 'push', '--quiet', 'origin', 'HEAD:main');
  await desk.slipway(['sync', '--wait', ...target]);
  expect((await desk.slipway(['call', 'hello', 'hello', '{"name":"Ada"}', ...target])).out).toContain('Welcome, Ada');
});
