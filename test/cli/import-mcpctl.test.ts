/** mcpctl's YAML, by `slipway import` and by `apply -f`: what maps is carried over, all else is told by name, and the result is valid. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseFile } from '../../schemas/parse.ts';
import { checkTogether } from '../../schemas/refs.ts';
import { cli } from '../helpers/cli.ts';
import { writeFiles } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

type Items = Readonly<Record<string, readonly object[]>>;

/** @returns specs by address, once with all that was told */
async function imported(root: Items): Promise<{ out: string; err: string; specs: Record<string, unknown> }> {
  using dir = tempDir();
  writeFiles(dir.path, { 'mcpctl.json': JSON.stringify(root) });
  const { out, err, code } = await cli(['import', 'mcpctl.json'], { cwd: dir.path });
  expect(code).toBe(0);
  const { resources, issues } = parseFile('import.yaml', Buffer.from(out));
  expect([...issues, ...checkTogether(resources)]).toEqual([]);
  const documents = out === '' ? [] : parseAllDocuments(out).map((one) => one.toJS() as Written);
  return {
    out,
    err,
    specs: Object.fromEntries(documents.map((one) => [`${one.kind}/${one.metadata.name}`, one.spec])),
  };
}

interface Written {
  kind: string;
  metadata: { name: string };
  spec: unknown;
}

const GITHUB = { name: 'github', packageName: '@x/github@1.0.0', transport: 'STDIO' };
const WEB = { name: 'Web_App', dockerImage: 'example/web:1', transport: 'STREAMABLE_HTTP', containerPort: 3000 };

test('servers, secrets, attachments, users and groups', async () => {
  const { specs, out, err } = await imported({
    secrets: [{ name: 'gh', data: { token: 'TOPSECRET' } }],
    servers: [
      { ...GITHUB, env: [{ name: 'GITHUB_TOKEN', valueFrom: { secretRef: { name: 'gh', key: 'token' } } }] },
      WEB,
      { name: 'far', externalUrl: 'https://example.com/mcp', transport: 'STREAMABLE_HTTP' },
    ],
    serverattachments: [
      { server: 'far', project: 'dev' },
      { server: 'far', project: 'nowhere' },
    ],
    projects: [{ name: 'dev', description: 'Dev.', servers: ['github', { name: 'Web_App' }, 'gone'] }],
    users: [{ email: 'ada@example.com', password: 'x', role: 'ADMIN' }],
    groups: [{ name: 'devs', members: ['ada@example.com', 'bob@example.com'] }],
  });
  expect(out + err).not.toContain('TOPSECRET');
  expect(specs).toEqual({
    'Secret/gh': { data: { token: { env: 'GH_TOKEN' } } },
    'Server/github': {
      package: { npm: '@x/github', version: '1.0.0' },
      transport: 'stdio',
      env: [{ name: 'GITHUB_TOKEN', valueFrom: { secretRef: { name: 'gh', key: 'token' } } }],
    },
    'Server/web-app': { image: 'example/web:1', transport: 'http', http: { port: 3000 } },
    'Server/far': { url: 'https://example.com/mcp' },
    'Project/dev': { description: 'Dev.', servers: ['github', 'web-app', 'far'] },
    'User/ada-example-com': { email: 'ada@example.com' },
    'Group/devs': { members: [{ kind: 'User', name: 'ada-example-com' }] },
  });
  for (const said of [
    'serverattachment far: was left out: there is no project nowhere',
    'Project/dev: server gone was left out',
    'Project/dev: names no proxyModel',
    'User/ada-example-com: role ADMIN was left out',
    'Group/devs: member bob@example.com was left out',
  ])
    expect(err).toContain(said);
});

test('proxy models become pipelines, and gates of projects; what holds code is left out as a whole', async () => {
  const { specs, err } = await imported({
    servers: [GITHUB, WEB],
    proxymodels: [
      {
        name: 'careful',
        spec: {
          controller: 'gate',
          controllerConfig: { byteBudget: 4096 },
          stages: [{ type: 'passthrough' }, { type: 'section-split', config: { minSize: 1000, strange: 1 } }],
          appliesTo: ['prompt', 'toolResult'],
          cacheable: true,
        },
      },
      { name: 'only-gate', controller: 'gate', stages: [] },
      { name: 'code', stages: [{ type: 'paginate' }, { type: 'mine' }] },
      { name: 'wrong', stages: [{ type: 'paginate', config: { pageSize: 1 } }] },
      { name: 'driven', controller: 'other', stages: [{ type: 'paginate' }] },
      { name: 'gate' },
    ],
    projects: [
      {
        name: 'dev',
        servers: ['github', 'Web_App'],
        proxyModel: 'default',
        prompt: 'Be kind.',
        serverOverrides: {
          Web_App: { proxyModel: 'careful' },
          github: { proxyModel: 'gate' },
          gone: { proxyModel: 'careful' },
        },
        llm: { provider: 'openai' },
      },
      { name: 'ops', proxyModel: 'careful', servers: ['github'] },
      { name: 'gated', proxyModel: 'only-gate' },
      { name: 'open', gated: false },
      ...['code', 'wrong', 'driven', 'unknown'].map((proxyModel) => ({ name: `of-${proxyModel}`, proxyModel })),
    ],
  });
  const stages = [{ type: 'passthrough' }, { type: 'section-split', minSize: 1000 }];
  expect(specs).toMatchObject({
    'Pipeline/careful': { appliesTo: ['prompt', 'toolResult'], stages },
    'Pipeline/content-pipeline': {
      appliesTo: ['prompt', 'toolResult'],
      stages: [{ type: 'paginate', pageSize: 8000 }],
    },
    'Project/dev': {
      instructions: 'Be kind.',
      pipeline: 'content-pipeline',
      gate: {},
      overrides: { 'web-app': { pipeline: 'careful' }, github: { pipeline: 'none' } },
    },
    'Project/ops': { pipeline: 'careful', gate: { budget: '4096' } },
  });
  expect(specs['Project/gated']).toEqual({ servers: [], gate: {} });
  expect(specs['Project/open']).toEqual({ servers: [], pipeline: 'content-pipeline' });
  for (const name of ['code', 'wrong', 'driven', 'unknown']) {
    expect(specs[`Project/of-${name}`]).toEqual({ servers: [] });
    expect(err).toContain(`Project/of-${name}: proxyModel ${name} was left out`);
    expect(specs).not.toHaveProperty([`Pipeline/${name}`]);
  }
  for (const said of [
    'proxymodel careful: strange of section-split was left out',
    'proxymodel code: was left out: there is no stage mine; if it is code',
    'proxymodel wrong: was left out: stages.0.pageSize',
    'proxymodel driven: was left out: there is no controller other',
    'serverOverrides.gone was left out: the project has no such server',
    'Project/dev: llm was left out: make an LlmProvider',
  ])
    expect(err).toContain(said);
});

test('prompts stay with the projects that they are for, and links lead where they led', async () => {
  const { specs, err } = await imported({
    servers: [GITHUB, WEB],
    projects: [{ name: 'My Team', servers: ['Web_App'] }],
    prompts: [
      { name: 'rules', content: '# Rules\nBe kind.', priority: 9, summary: 'How\nto be.', chapters: ['Kindness'] },
      { name: 'team', content: 'x', project: 'My Team' },
      { name: 'slipway-rules', content: 'x' },
      { name: 'linked', link: 'My Team/Web_App:note://a', content: 'old' },
      { name: 'direct', linkTarget: 'github:note://b', project: null },
      { name: 'astray', link: 'My Team/github:note://a' },
      { name: 'nowhere', content: 'x', project: 'gone' },
      { name: 'empty' },
      { name: 'gate-instructions', content: 'x', project: 'mcpctl-system' },
    ],
    promptrequests: [{ name: 'wish', content: 'y', project: 'My Team' }],
  });
  expect(Object.fromEntries(Object.entries(specs).filter(([address]) => address.startsWith('Prompt/')))).toEqual({
    'Prompt/rules': { content: '# Rules\nBe kind.', priority: 9, summary: 'How to be.', chapters: ['Kindness'] },
    'Prompt/team': { content: 'x', projects: ['my-team'] },
    'Prompt/mcpctl-slipway-rules': { content: 'x' },
    'Prompt/linked': { link: 'my-team/web-app:note://a' },
    'Prompt/direct': { link: 'github:note://b' },
  });
  for (const said of [
    'prompt linked: has a link, so its content was left out',
    'prompt astray: was left out: its link My Team/github:note://a leads through My Team, which has no github',
    'prompt nowhere: was left out: there is no project gone',
    'prompt empty: was left out: it has no text',
    'prompt gate-instructions: was left out: mcpctl says it itself',
    'promptrequest wish of My Team: was left out: nobody has said yes to it',
  ])
    expect(err).toContain(said);
});

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

test('templates: what each use says is a parameter, and what is secret comes from a Secret', async () => {
  const { specs, err } = await imported({
    templates: [
      {
        name: 'grafana',
        version: '1.2.0',
        packageName: '@x/grafana@2.0.0',
        transport: 'STDIO',
        command: ['--name', '${HOME}'],
        healthCheck: { tool: 'list' },
        env: [
          { name: 'GRAFANA_URL', description: 'Where it is.', required: true },
          { name: 'GRAFANA_TOKEN', required: true },
          { name: 'MODE', defaultValue: 'fast' },
          { name: 'FIXED', value: 'a ${b}' },
          { name: 'EXTRA' },
        ],
      },
    ],
  });
  expect(specs['Template/grafana']).toEqual({
    params: {
      GRAFANA_URL: { description: 'Where it is.', required: true },
      secret: { required: true, description: expect.any(String) },
      MODE: { default: 'fast' },
      EXTRA: { default: '' },
    },
    server: {
      package: { npm: '@x/grafana', version: '2.0.0', args: ['--name', '$${HOME}'] },
      transport: 'stdio',
      env: [
        { name: 'GRAFANA_URL', value: '${GRAFANA_URL}' },
        { name: 'GRAFANA_TOKEN', valueFrom: { secretRef: { name: '${secret}', key: 'GRAFANA_TOKEN' } } },
        { name: 'MODE', value: '${MODE}' },
        { name: 'FIXED', value: 'a $${b}' },
        { name: 'EXTRA', value: '${EXTRA}' },
      ],
    },
  });
  expect(err).toContain('Template/grafana: healthCheck was left out');
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

test('apply -f takes the same, and lists of Slipway’s own resources as ever', async () => {
  using dir = tempDir();
  const theirs = `servers:
  - { name: github, packageName: "@x/github@1.0.0", transport: STDIO }
projects:
  - { name: dev, servers: [github], proxyModel: gate, proxyMode: direct }
prompts:
  - { name: rules, content: Be kind., project: dev }
`;
  const ours =
    'servers:\n  - { name: mine, command: [mine], transport: http, http: { port: 3000 } }\nprompts:\n  - { name: more, content: Be brief., projects: [dev] }\n';
  writeFiles(dir.path, { 'config/gateway.yaml': 'apiVersion: slipway/v1\nkind: Gateway\nmetadata: { name: main }\n' });
  const cwd = join(dir.path, 'config');
  const applied = await cli(['apply', '-f', '-'], { cwd, stdin: theirs });
  expect(applied).toMatchObject({ code: 0, err: expect.stringContaining('Project/dev: proxyMode was left out') });
  expect(applied.out.split('\n').map((line) => line.split('  ')[0])).toEqual([
    'server/github created',
    'project/dev created',
    'prompt/rules created',
  ]);
  expect(await cli(['apply', '-f', '-'], { cwd, stdin: ours })).toMatchObject({ code: 0, err: '' });
  expect((await cli(['validate'], { cwd })).out).toContain('6 resources, no issues');
  expect((await cli(['apply', '-f', '-'], { cwd, stdin: theirs })).out).toContain('project/dev unchanged');
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
