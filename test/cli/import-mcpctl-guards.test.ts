/** mcpctl's YAML: what an import may never do. Nobody gets more than they had, nothing of one project is for all, and no secret is in plain YAML. */
import { expect, test } from 'vitest';
import { imported } from '../helpers/mcpctl.ts';

const GITHUB = { name: 'github', packageName: '@x/github@1.0.0', transport: 'STDIO' };
const WEB = { name: 'Web_App', dockerImage: 'example/web:1', transport: 'STREAMABLE_HTTP', containerPort: 3000 };

test('what is refused takes with it what is only for it: a prompt of one project is never one for all', async () => {
  const { specs, err } = await imported({
    servers: [GITHUB],
    projects: [{ name: 'dev', servers: ['github'], description: 'x'.repeat(5_000) }],
    prompts: [{ name: 'secret', content: 'Of dev alone.', project: 'dev' }],
    users: [{ name: 'eve', email: 'nowhere' }],
    groups: [{ name: 'devs', members: ['eve'] }],
    rbac: [
      {
        name: 'web',
        subjects: [{ kind: 'Group', name: 'devs' }],
        roleBindings: [{ role: 'view', resource: 'servers' }],
      },
    ],
  });
  expect(Object.keys(specs)).toEqual(['Server/github', 'Role/web']);
  for (const said of ['Prompt/secret', 'Group/devs', 'RoleBinding/web'])
    expect(err).toMatch(new RegExp(`${said}: was left out, because `));
});

test('rbac: nothing is allowed that was not, and nobody has it who had not', async () => {
  const { specs, err } = await imported({
    servers: [WEB],
    projects: [{ name: 'dev' }],
    users: [{ email: 'ada@example.com', name: 'Ada' }],
    groups: [{ name: 'devs', members: ['Ada'] }],
    rbac: [
      {
        name: 'admin',
        subjects: [
          { kind: 'User', name: 'ada@example.com' },
          { kind: 'ServiceAccount', name: 'ci' },
        ],
        roleBindings: [
          { role: 'edit', resource: '*' },
          { role: 'run', action: 'logs' },
          { role: 'run', action: 'audit-purge' },
        ],
      },
      {
        name: 'web',
        subjects: [
          { kind: 'Group', name: 'devs' },
          { kind: 'User', name: 'eve@example.com' },
        ],
        roleBindings: [
          { role: 'view', resource: 'servers', name: 'Web_App' },
          { role: 'run', resource: 'projects', name: 'dev' },
          { role: 'view', resource: 'servers', name: 'gone' },
          { role: 'fly', resource: 'servers' },
          { role: 'view', resource: 'moons' },
        ],
      },
      {
        name: 'nobody',
        subjects: [{ kind: 'McpToken', name: 'abc' }],
        roleBindings: [{ role: 'view', resource: 'servers' }],
      },
      {
        name: 'nothing',
        subjects: [{ kind: 'Group', name: 'devs' }],
        roleBindings: [{ role: 'run', action: 'restore' }],
      },
    ],
  });
  expect(Object.fromEntries(Object.entries(specs).filter(([address]) => address.startsWith('Role')))).toEqual({
    'Role/admin-2': { rules: [{ verbs: ['edit'], resources: ['*'] }], operations: ['logs'] },
    'RoleBinding/admin': { subjects: [{ kind: 'User', name: 'ada' }], role: 'admin-2' },
    'Role/web': {
      rules: [
        { verbs: ['view'], resources: ['servers'], names: ['web-app'] },
        { verbs: ['run'], resources: ['projects'], names: ['dev'] },
      ],
    },
    'RoleBinding/web': { subjects: [{ kind: 'Group', name: 'devs' }], role: 'web' },
  });
  for (const said of [
    'rbac admin: the action audit-purge was left out',
    'rbac admin: ServiceAccount ci was left out: make a Token',
    'rbac web: User eve@example.com was left out: the file has no such user',
    'rbac web: view:servers:gone was left out: the file has no gone',
    'rbac web: fly:servers was left out: there is no verb fly',
    'rbac web: view:moons was left out: there is no resource moons',
    'rbac nobody: was left out: nothing is left of whom it is for',
    'rbac nothing: was left out: nothing is left of what it allows',
  ])
    expect(err).toContain(said);
});

test('who is called as another’s address does not get what that one has', async () => {
  const { specs } = await imported({
    users: [
      { name: 'bob@example.com', email: 'mallory@example.com' },
      { name: 'Bob', email: 'bob@example.com' },
      { name: 'bob@example.com', email: 'eve@example.com' },
    ],
    groups: [{ name: 'ops', members: ['bob@example.com'] }],
    rbac: [
      {
        name: 'ops',
        subjects: [{ kind: 'User', name: 'bob@example.com' }],
        roleBindings: [{ role: 'view', resource: 'servers' }],
      },
    ],
  });
  const bob = [{ kind: 'User', name: 'bob' }];
  expect([specs['Group/ops'], specs['RoleBinding/ops']]).toEqual([{ members: bob }, { subjects: bob, role: 'ops' }]);
});

test('an action of one resource is no operation of all, nor is one of another role', async () => {
  const { specs, err } = await imported({
    users: [{ email: 'ada@example.com' }],
    rbac: [
      {
        name: 'ops',
        subjects: [{ kind: 'User', name: 'ada@example.com' }],
        roleBindings: [
          { role: 'run', action: 'logs', resource: 'projects', name: 'dev' },
          { role: 'view', action: 'backup' },
        ],
      },
    ],
  });
  expect(Object.keys(specs)).toEqual(['User/ada-example-com']);
  expect(err).toContain('rbac ops: the action logs was left out');
});

test('a prompt of a project that nobody can tell is none of all', async () => {
  const { specs, err } = await imported({ prompts: [{ name: 'ours', content: 'Ours.', projectId: 'clx1' }] });
  expect(specs).toEqual({});
  expect(err).toContain('prompt ours: was left out');
});

test('templates hold no secrets either', async () => {
  const TOKEN = 'ghp_abcdefghijklmnopqrstuvwxyz0123';
  const { specs, out, err } = await imported({
    templates: [
      {
        name: 'db',
        command: ['serve', '--token', TOKEN],
        env: [
          { name: 'DATABASE_URL', value: 'postgres://me:TOPSECRET@db/x' },
          { name: 'EXTRA', defaultValue: TOKEN },
        ],
      },
      { name: 'far', externalUrl: 'https://me:TOPSECRET@example.com/mcp', transport: 'STREAMABLE_HTTP' },
    ],
  });
  expect(out + err).not.toMatch(`TOPSECRET|${TOKEN}`);
  expect(specs).toMatchObject({
    'Template/db': {
      params: { secret: { required: true } },
      server: { command: ['serve', '--token', '***'], env: [{ valueFrom: {} }, { valueFrom: {} }] },
    },
    'Template/far': { server: { url: 'https://me:***@example.com/mcp' } },
  });
});
