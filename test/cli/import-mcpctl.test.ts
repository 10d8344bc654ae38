/** mcpctl's YAML, by `slipway import` and by `apply -f`: what maps is carried over, all else is told by name, and the result is valid. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cli } from '../helpers/cli.ts';
import { imported } from '../helpers/mcpctl.ts';
import { writeFiles } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

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
