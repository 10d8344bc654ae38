/** What people and agents without push rights ask for: branches of the config repo, and a yes or no by who may. */
import { describe, expect, test } from 'vitest';
import { control } from '../../reconciler/control.ts';
import { edited } from '../../reconciler/proposals/edit.ts';
import { grantOf, type Access } from '../../schemas/access.ts';
import type { ControlCaller, ControlResponse } from '../../schemas/control.ts';
import type { Proposal } from '../../schemas/proposals.ts';
import { parseFile } from '../../schemas/parse.ts';
import { memoryServer, resource } from '../helpers/config.ts';
import { Desk } from '../helpers/slipway.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { git } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { TestForge, TOKEN } from './helpers/forge.ts';
import { eventually } from '../helpers/until.ts';

const TEAM = `# Servers of the team.
apiVersion: slipway/v1
kind: Server
metadata: { name: app }
spec:
  command: [memory, v1] # the version
  runtime: memory
---
apiVersion: slipway/v1
kind: Server
metadata: { name: other }
spec: { command: [memory, v1], runtime: memory }
`;

const at = { file: 'access.yaml', line: 1 };
const access: Access = {
  roles: {
    editor: {
      rules: [{ verbs: ['edit'], resources: ['servers', 'proposals'], ...at }],
      operations: [],
      scopes: [],
      ...at,
    },
    yes: { rules: [{ verbs: ['edit'], resources: ['proposals'], ...at }], operations: [], scopes: [], ...at },
  },
  bindings: [],
  members: {},
  floor: [],
  projects: {},
  servers: {},
};
const caller = (role: string): ControlCaller => ({
  key: `user:${role}`,
  grant: grantOf(access, { kind: 'Token', name: 'x', groups: [], roles: [role], scopes: [] }),
});

/** The control API as callers with roles have it. */
function asker(rig: Rig) {
  const answer = control(rig.reconciler);
  return (role: string, method: string, path: string, body?: unknown): Promise<ControlResponse> =>
    answer({
      method,
      path,
      body,
      query: new URLSearchParams(),
      signal: new AbortController().signal,
      caller: caller(role),
    });
}

const version = (name: string, v: string) => JSON.parse(memoryServer(name, v)) as Record<string, unknown>;

test('a member asks, an editor looks at it and says yes, and it is rolled out', async () => {
  await using rig = await Rig.make();
  const ask = asker(rig);
  await rig.reconciler.start();
  await rig.apply({ 'team.yaml': TEAM });
  const main = git(rig.repo.remote, 'rev-parse', 'main');

  const made = await ask('member', 'POST', '/proposals', {
    title: 'A newer app, and a search',
    description: 'Because of #12.',
    resources: [version('app', 'v2'), version('search', 'v1')],
    remove: ['Server/other'],
  });
  expect(made).toMatchObject({
    status: 201,
    body: {
      by: 'user:member',
      changes: ['Server/app', 'Server/other', 'Server/search'],
      description: 'Because of #12.',
    },
  });
  const { id, branch, commit } = made.body as Proposal;
  expect(id).toMatch(/^a-newer-app-and-a-search-[0-9a-f]{6}$/);
  expect(git(rig.repo.remote, 'rev-parse', 'main')).toBe(main);
  expect(git(rig.repo.remote, 'log', '-1', '--format=%an|%cn|%s', branch)).toBe(
    'user:member|slipway|A newer app, and a search',
  );
  expect(git(rig.repo.remote, 'show', `${branch}:team.yaml`)).toBe(
    TEAM.slice(0, TEAM.indexOf('---')).replace('[memory, v1] # the', '[ memory, v2 ] # the').trimEnd(),
  );
  expect(git(rig.repo.remote, 'show', `${branch}:servers/search.yaml`)).toContain('name: search');

  expect((await ask('viewer', 'GET', '/proposals')).body).toMatchObject([{ id, commit }]);
  expect((await ask('viewer', 'GET', `/proposals/${id}`)).body).not.toHaveProperty('plan');
  const looked = (await ask('editor', 'GET', `/proposals/${id}`)).body;
  expect(looked).toMatchObject({ plan: { verdict: 'changes', text: expect.stringContaining('Server/search') } });
  expect(await ask('member', 'POST', `/proposals/${id}/approve`)).toMatchObject({ status: 403 });

  const yes = await ask('editor', 'POST', `/proposals/${id}/approve`);
  expect(yes.status).toBe(200);
  const merged = (yes.body as { commit: string }).commit;
  expect(git(rig.repo.remote, 'rev-parse', 'main')).toBe(merged);
  const said = git(rig.repo.remote, 'log', '-1', '--format=%B', 'main');
  expect(said).toContain(`Slipway-Proposal: ${id}\nSlipway-Proposed-By: user:member\nSlipway-Approved-By: user:editor`);
  expect(git(rig.repo.remote, 'branch', '--list', 'slipway/proposals/*')).toBe('');
  await rig.told('search', 'Ready:True=Succeeded');
  expect((await ask('editor', 'GET', '/proposals')).body).toEqual([]);
});

describe('who says yes', () => {
  test('must be allowed to make each change alone: a right to say yes is no right to everything', async () => {
    await using rig = await Rig.make();
    const ask = asker(rig);
    await rig.apply({ 'team.yaml': TEAM });
    const role = JSON.parse(
      resource('RoleBinding', 'me', { role: 'admin', subjects: [{ kind: 'Token', name: 'ci' }] }),
    ) as object;
    const token = JSON.parse(resource('Token', 'ci', { sha256: '0'.repeat(64) })) as object;
    const { body } = await ask('member', 'POST', '/proposals', { title: 'Me, too', resources: [role, token] });
    const { id } = body as Proposal;
    for (const who of ['editor', 'yes']) {
      const refused = await ask(who, 'POST', `/proposals/${id}/approve`);
      expect(refused).toMatchObject({
        status: 403,
        body: { error: expect.stringMatching(/RoleBinding\/me|Token\/ci/) },
      });
    }
    expect(await ask('admin', 'POST', `/proposals/${id}/approve`)).toMatchObject({ status: 200 });
  });

  test('is asked for every right that takes: what an environment hides, encrypted files, and nothing beside the config', async () => {
    await using rig = await Rig.make();
    const ask = asker(rig);
    await rig.apply({ 'team.yaml': TEAM });
    const push = (id: string, files: Parameters<Rig['apply']>[0]): void => {
      git(rig.repo.work, 'checkout', '--quiet', '-B', id, 'origin/main');
      rig.repo.commit(files, 'By hand\n\nSlipway-Allow: mass-delete');
      git(rig.repo.work, 'push', '--quiet', '--force', 'origin', `HEAD:refs/heads/slipway/proposals/${id}`);
    };
    git(rig.repo.work, 'fetch', '--quiet', 'origin');
    push('workflow', { '.github/workflows/ci.yaml': 'on: push', 'new.yaml': memoryServer('new') });
    push('sealed', { 'mail.enc.yaml': 'password: ENC[AES256_GCM,data:x]' });
    push('program', { 'bin/run.sh': '#!/bin/sh' });
    const before = git(rig.repo.remote, 'rev-parse', 'main');
    const refusal = async (who: string, id: string): Promise<unknown> => {
      const { status, body } = await ask(who, 'POST', `/proposals/${id}/approve`);
      return [status, (body as { error: string }).error];
    };
    expect(await refusal('admin', 'workflow')).toEqual([403, expect.stringContaining('.github/workflows/ci.yaml')]);
    expect(await refusal('editor', 'sealed')).toEqual([403, expect.stringContaining('mail.enc.yaml')]);
    expect(await refusal('editor', 'program')).toEqual([403, expect.stringContaining('bin/run.sh')]);
    expect(git(rig.repo.remote, 'rev-parse', 'main')).toBe(before);
    expect(await ask('admin', 'POST', '/proposals/program/approve')).toMatchObject({ status: 200 });
    // What was in the message of the branch lets nothing pass any more.
    expect(git(rig.repo.remote, 'log', '-1', '--format=%(trailers:key=Slipway-Allow)', 'main')).toBe('');
  });

  test('is told of conflicts, and of guards, and nothing is pushed', async () => {
    await using rig = await Rig.make();
    const ask = asker(rig);
    await rig.apply({ 'team.yaml': TEAM });
    const propose = async (body: object): Promise<string> =>
      ((await ask('member', 'POST', '/proposals', body)).body as Proposal).id;
    const first = await propose({ title: 'To v2', resources: [version('app', 'v2')] });
    const second = await propose({ title: 'To v3', resources: [version('app', 'v3')] });
    expect(await ask('admin', 'POST', `/proposals/${first}/approve`)).toMatchObject({ status: 200 });
    const conflict = await ask('admin', 'POST', `/proposals/${second}/approve`);
    expect(conflict).toMatchObject({ body: { error_code: 'conflict', error: expect.stringContaining('team.yaml') } });
    git(rig.repo.work, 'pull', '--quiet', 'origin', 'main');
    const protectedOne = { ...version('kept', 'v1'), metadata: { name: 'kept', protect: 'delete' } };
    await rig.apply({ 'kept.yaml': JSON.stringify(protectedOne) });
    const third = await propose({ title: 'Without it', remove: ['Server/kept'] });
    const before = git(rig.repo.remote, 'rev-parse', 'main');
    expect(await ask('admin', 'POST', `/proposals/${third}/approve`)).toMatchObject({
      body: { error_code: 'blocked' },
    });
    expect(git(rig.repo.remote, 'rev-parse', 'main')).toBe(before);
  });

  test('or no: by who made it, or who may', async () => {
    await using rig = await Rig.make();
    const ask = asker(rig);
    await rig.apply({ 'team.yaml': TEAM });
    const propose = async (): Promise<string> =>
      (
        (await ask('member', 'POST', '/proposals', { title: 'To v2', resources: [version('app', 'v2')] }))
          .body as Proposal
      ).id;
    const [one, two] = [await propose(), await propose()];
    expect(await ask('viewer', 'POST', `/proposals/${one}/reject`)).toMatchObject({ status: 403 });
    expect(await ask('member', 'POST', `/proposals/${one}/reject`)).toMatchObject({ status: 200 });
    expect(await ask('editor', 'POST', `/proposals/${two}/reject`)).toMatchObject({ status: 200 });
    expect((await ask('admin', 'GET', '/proposals')).body).toEqual([]);
    expect(await ask('admin', 'POST', `/proposals/${two}/approve`)).toMatchObject({ status: 404 });
  });
});

describe('what is refused, with nothing left behind', () => {
  test.each([
    ['no right to ask', 'viewer', { title: 'To v2', resources: [version('app', 'v2')] }, 403, 'create proposals'],
    ['a title of two lines', 'member', { title: 'a\nb', resources: [] }, 400, 'one line'],
    ['nothing new', 'member', { title: 'As it is', resources: [version('app', 'v1')] }, 400, 'already'],
    [
      'a kind that is none',
      'member',
      { title: 'What', resources: [{ kind: 'Pod', metadata: { name: 'x' } }] },
      400,
      'no kind Pod',
    ],
    [
      'a name that leads elsewhere',
      'member',
      { title: 'Out', resources: [{ kind: 'Server', metadata: { name: '../../x' } }] },
      400,
      'metadata.name',
    ],
    [
      'a field that is none',
      'member',
      { title: 'Bad', resources: [{ ...version('app', 'v2'), spec: { nonsense: 1 } }] },
      400,
      'nonsense',
    ],
    [
      'something to remove that is not there',
      'member',
      { title: 'Gone', remove: ['Server/none'] },
      404,
      'no Server/none',
    ],
    [
      'forged trailers',
      'member',
      { title: 'Let me', description: 'x\n\nSlipway-Allow: mass-delete', resources: [version('app', 'v2')] },
      400,
      'Slipway-',
    ],
  ])('%s', async (_, role, body, status, words) => {
    await using rig = await Rig.make();
    const ask = asker(rig);
    await rig.apply({ 'team.yaml': TEAM });
    const answer = await ask(role, 'POST', '/proposals', body);
    expect([answer.status, (answer.body as { error: string }).error]).toEqual([status, expect.stringContaining(words)]);
    expect(git(rig.repo.remote, 'branch', '--list', 'slipway/*')).toBe('');
  });
});

test('a branch that somebody pushed is a proposal, too; what it says of itself is only its words', async () => {
  await using rig = await Rig.make();
  const ask = asker(rig);
  await rig.apply({ 'team.yaml': TEAM });
  git(rig.repo.remote, 'branch', 'slipway/proposals/by-hand', 'main');
  expect((await ask('admin', 'GET', '/proposals')).body).toMatchObject([{ id: 'by-hand', changes: [], files: [] }]);
});

test('edits touch nothing else: comments, other documents, masked values', () => {
  const { resources } = parseFile('team.yaml', Buffer.from(TEAM));
  const wanted = {
    ...version('app', 'v1'),
    spec: { command: ['memory', '***'], runtime: 'memory', description: 'It is masked.' },
  };
  const app = { ...wanted, spec: { ...wanted.spec, command: '***' } };
  const files = edited({ resources: [app], remove: [] }, resources, () => TEAM);
  expect(files.get('team.yaml')).toBe(
    TEAM.replace('  runtime: memory\n', '  runtime: memory\n  description: It is masked.\n').replace(
      '[memory, v1] #',
      '[ memory, v1 ] #',
    ),
  );
  const gone = edited({ resources: [], remove: ['Server/app', 'Server/other'] }, resources, () => TEAM);
  expect(gone.get('team.yaml')).toBeNull();
});

test('from the command line: propose, look, approve', async () => {
  await using desk = new Desk();
  desk.push({ 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') });
  await desk.up();
  desk.write({ 'more.yml': helloServer('more') });
  const run = (...args: string[]) => desk.slipway([...args, '--state-dir', desk.state]);
  const proposed = await run('propose', '-t', 'One more', '-f', 'more.yml');
  expect(proposed).toMatchObject({ code: 0, out: expect.stringContaining('Server/more') });
  const id = /proposed (\S+):/.exec(proposed.out)?.[1] ?? '';
  expect((await run('get', 'proposals')).out).toContain(`${id}   local   One more   Server/more`);
  const looked = await run('approve', id, '--dry-run');
  expect(looked.err).toContain('Server/more');
  expect((await run('approve', id)).code).toBe(64);
  expect((await run('approve', id, '--yes')).out).toContain('merged as');
  await eventually(async () => (await desk.status()).servers.some(({ name }) => name === 'more'));
});

test('where a forge is configured there is a pull request, too; a forge that is away takes nothing back', async () => {
  await using forge = await TestForge.start('github');
  await using rig = await Rig.make({ reviews: { secrets: async () => TOKEN } });
  const ask = asker(rig);
  const ref = { secretRef: { name: 'forge', key: 'token' } };
  await rig.apply({
    'team.yaml': TEAM,
    'gw.yaml': resource('Gateway', 'main', {
      review: { forge: 'github', url: forge.url, repository: 'acme/mcp', token: ref },
    }),
    'secret.yaml': resource('Secret', 'forge', { data: { token: { env: 'MY_TOKEN' } } }),
  });
  const made = await ask('member', 'POST', '/proposals', { title: 'To v2', resources: [version('app', 'v2')] });
  expect(made).toMatchObject({ status: 201, body: { request: expect.stringContaining('/acme/mcp/pull/') } });
  expect(forge.opened).toMatchObject([
    { head: (made.body as Proposal).branch, base: 'main', title: 'To v2', body: 'Proposed by `user:member`.' },
  ]);
  await forge[Symbol.asyncDispose]();
  const again = await ask('member', 'POST', '/proposals', { title: 'To v3', resources: [version('app', 'v3')] });
  expect(again).toMatchObject({ status: 201, body: { requestError: expect.any(String) } });
});
