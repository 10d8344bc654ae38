/** `slipway plan` for any CI: commit against commit, against a running Slipway, as text, Markdown and JSON. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { startGateway } from '../../gateway/index.ts';
import { control } from '../../reconciler/control.ts';
import { asIfRunning } from '../../reconciler/preview.ts';
import { compile } from '../../reconciler/compile.ts';
import { plan } from '../../reconciler/plan.ts';
import { issuesMarkdown, MAX_MARKDOWN, planMarkdown } from '../../reconciler/review/markdown.ts';
import { planSchema, type Plan } from '../../schemas/plan.ts';
import { cli } from '../helpers/cli.ts';
import { desired, memoryServer, resource } from '../helpers/config.ts';
import { TestRepo } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';

const GATEWAY = resource('Gateway', 'main', {});

test('head is planned against base, as if base ran: 2 changes, 0 none, 1 invalid, 3 blocked', async () => {
  using repo = new TestRepo();
  repo.push({ 'gw.yaml': GATEWAY, 'a.yaml': memoryServer('a') });
  repo.git('branch', 'feature');
  repo.git('switch', '--quiet', 'feature');
  repo.commit({ 'a.yaml': memoryServer('a', 'v2'), 'b.yaml': memoryServer('b') });
  const planned = (...args: string[]) => cli(['plan', ...args], { cwd: repo.work });

  const text = await planned('--base', 'main', '--head', 'feature');
  expect(text).toMatchObject({ code: 2, err: '' });
  expect(text.out).toContain('+/- Server/a will be replaced');
  expect(text.out).toContain('Plan: 1 to create, 0 to update, 1 to replace, 0 to delete.');
  const json = planSchema.parse(JSON.parse((await planned('--base', 'main', '--head', 'HEAD', '-o', 'json')).out));
  expect([json.base, json.head]).toEqual([repo.git('rev-parse', 'main'), repo.git('rev-parse', 'feature')]);
  const markdown = await planned('--base', 'main', '--head', 'feature', '-o', 'markdown');
  expect(markdown.out).toMatch(
    /^\*\*Plan: 1 to create, 0 to update, 1 to replace, 0 to delete\.\*\*\n\n- `\+\/- Server\/a` will/,
  );
  expect((await planned('--base', 'main', '--head', 'main')).code).toBe(0);
  // Without --head, edits that are not committed yet count, as ever.
  expect((await planned('--base', 'feature')).code).toBe(0);

  repo.commit({ 'b.yaml': memoryServer('b', 'v1', { comand: 'x' }) });
  const bad = await planned('--base', 'main', '--head', 'HEAD', '-o', 'markdown');
  expect(bad).toMatchObject({ code: 1, err: expect.stringContaining('1 issue') });
  expect(bad.out).toMatch(/\*\*The config is not valid: 1 issue\.\*\*[^]*- `b\.yaml:1:\d+` `[^`]*comand/);
  expect(JSON.parse((await planned('--base', 'main', '--head', 'HEAD', '-o', 'json')).out)).toMatchObject({
    issues: [{ file: 'b.yaml', code: 'unknown-field' }],
  });
  repo.commit({ 'a.yaml': null, 'b.yaml': null, 'gw.yaml': null });
  expect(await planned('--base', 'main', '--head', 'HEAD', '-o', 'markdown')).toMatchObject({
    code: 3,
    out: expect.stringMatching(/^\*\*Blocked\.\*\*[^]*- `empty-load`: /),
  });
  expect((await planned('--base', 'gone', '--head', 'HEAD')).code).toBe(1);
  expect((await planned('--head', 'HEAD', '--ref', 'main')).code).toBe(64);
  expect((await planned('--base', 'main', '--server', 'http://127.0.0.1:1')).code).toBe(64);
});

const token = (name: string, secret: string, role: string): string =>
  resource('Token', name, { sha256: createHash('sha256').update(secret).digest('hex'), roles: [role] });

test('what files are called is shown, and is no command to whatever reads the log', async () => {
  using repo = new TestRepo();
  repo.push({ 'gw.yaml': GATEWAY });
  repo.commit({ 'a\n::warning::x\u001b[2J.yaml': memoryServer('a'), 'b\n::error::.yaml': 'kind: [' });
  repo.git('branch', 'before', 'HEAD~1');
  const planned = () => cli(['plan', '--base', 'before', '--head', 'HEAD'], { cwd: repo.work });
  const bad = await planned();
  expect(bad).toMatchObject({ code: 1, err: expect.stringContaining(String.raw`b\u{a}::error::.yaml:1:`) });
  repo.commit({ 'b\n::error::.yaml': null });
  const { out } = await planned();
  expect(out).toContain(String.raw`a\u{a}::warning::x\u{1b}[2J.yaml:1`);
});

test('--server compares with what runs there, wherever the config lies', async () => {
  await using rig = await Rig.make();
  const [editor, reader] = ['editor-secret', 'reader-secret'];
  await rig.apply({
    'gw.yaml': GATEWAY,
    'a.yaml': memoryServer('a'),
    't.yaml': token('editor', editor, 'admin'),
    'r.yaml': token('reader', reader, 'viewer'),
  });
  await using gateway = await startGateway({
    snapshot: rig.snapshot,
    sessionKey: rig.state.sessionKey,
    log: rig.log,
    version: 'test',
    listen: '127.0.0.1:0',
    control: control(rig.reconciler),
  });
  const planned = (...args: string[]) =>
    cli(['plan', '--server', gateway.url, ...args], { cwd: rig.repo.work, env: { SLIPWAY_TOKEN: editor } });
  expect(await planned()).toMatchObject({ code: 0, err: '' });
  rig.repo.commit({ 'b.yaml': memoryServer('b') });
  const there = await planned('--head', 'HEAD', '-o', 'json');
  expect(there.code).toBe(2);
  expect(JSON.parse(there.out)).toMatchObject({
    base: rig.reconciler.world.applied.commit?.id,
    summary: { create: 1, noop: 4 },
  });
  // What is compared is the config as it is, with what is masked elsewhere.
  expect((await planned('--token', reader)).err).toContain('[forbidden]');
  await gateway[Symbol.asyncDispose]();
  expect(await planned()).toMatchObject({ code: 1, err: expect.stringContaining('does not answer') });
});

const planOf = (before: Record<string, string>, after: Record<string, string>): Plan =>
  plan(compile(desired(after, 'c2')), asIfRunning(desired(before, 'c1')));

test('Markdown: what users lose comes first, however much comes with it, and it is never too long', () => {
  const many = Object.fromEntries(
    Array.from({ length: 3000 }, (_, n) => [
      `s${n}.yaml`,
      memoryServer(`s${n}`, 'v1', { env: [{ name: 'A', value: 'x'.repeat(90) }] }),
    ]),
  );
  const changed = Object.fromEntries(
    Array.from({ length: 500 }, (_, n) => [`c${n}.yaml`, memoryServer(`c${n}`, 'v1')]),
  );
  const after = Object.fromEntries(
    Array.from({ length: 500 }, (_, n) => [
      `c${n}.yaml`,
      memoryServer(`c${n}`, 'v2', { env: [{ name: 'LONG', value: 'y'.repeat(5000) }] }),
    ]),
  );
  const whole = planOf(
    { 'gw.yaml': GATEWAY, ...changed, 'z.yaml': memoryServer('zoo') },
    { 'gw.yaml': GATEWAY, ...after, ...many },
  );
  const markdown = planMarkdown(whole);
  expect(markdown.length).toBeLessThan(MAX_MARKDOWN);
  expect(markdown.split('\n')[2]).toBe('- `- Server/zoo` will be deleted (it stops)');
  expect(markdown).toMatch(/- … and \d+ more, see `slipway plan`/);
  expect(markdown).toMatch(/The details of \d+ more changes are too long for here/);
  // Each fold that was begun ends.
  expect(markdown.match(/<details>/g)?.length).toBe(markdown.match(/<\/details>/g)?.length);
  const issue = {
    file: 'a.yaml',
    line: 1,
    column: 1,
    path: '',
    code: 'yaml-syntax',
    message: 'm'.repeat(5000),
    hint: 'h',
  } as const;
  expect(issuesMarkdown(Array.from({ length: 2000 }, () => issue)).length).toBeLessThan(MAX_MARKDOWN);
});

test('Markdown: what a config says is text, whatever it looks like', () => {
  const value = '```\n</details>\n/approve\n@everyone <img src=x> [a](http://evil.example) ````';
  const before = { 'gw.yaml': GATEWAY, 'a.yaml': memoryServer('a', 'v1', { env: [{ name: 'A', value: 'x' }] }) };
  const markdown = planMarkdown(
    planOf(before, { ...before, 'a.yaml': memoryServer('a', 'v1', { env: [{ name: 'A', value }] }) }),
  );
  const fence = /^(`{3,})diff\n([^]*?)\n\1$/m.exec(markdown);
  expect(fence?.[1]).toBe('`'.repeat(7));
  expect(fence?.[2]).toContain('@everyone <img src=x>');
  // Nothing of it stands outside of the fence, or at the beginning of a line.
  expect(markdown.replace(fence?.[0] ?? '', '')).not.toMatch(/everyone|evil|approve|<img/);
  expect(markdown).not.toMatch(/^\/approve/m);
  const told = issuesMarkdown([
    {
      file: 'x.yaml',
      line: 1,
      column: 1,
      path: '',
      code: 'invalid-value',
      message: 'no `@everyone`\n/close | \u202Ereversed',
      hint: '',
    },
  ]);
  expect(told).toContain('- `x.yaml:1:1` ``no `@everyone` /close |  reversed``');
});
