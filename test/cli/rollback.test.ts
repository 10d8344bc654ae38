/** `slipway rollback`: what a commit did is undone by another one, and nothing else is touched. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cli, type Said } from '../helpers/cli.ts';
import { GATEWAY, HELLO_PROGRAM, helloServer } from '../helpers/configs.ts';
import { TestRepo } from '../helpers/repo.ts';
import { tempDir } from '../helpers/temp.ts';

const START = { 'gateway.yaml': GATEWAY, 'hello.mjs': HELLO_PROGRAM, 'hello.yaml': helloServer('hello') };
const ADA = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
};

function started(): { repo: TestRepo; here: (...args: string[]) => Promise<Said>; there: typeof here } & Disposable {
  const repo = new TestRepo();
  repo.push(START, 'Start');
  const here = (...args: string[]): Promise<Said> => cli(['rollback', ...args], { cwd: repo.work, env: ADA });
  const there = (...args: string[]): Promise<Said> => here(...args, '--repo', repo.url);
  return { repo, here, there, [Symbol.dispose]: () => repo[Symbol.dispose]() };
}

const at = (repo: TestRepo, ref: string, file: string): string => repo.git('show', `${ref}:${file}`);

describe('rollback', () => {
  test('undoes the last commit with another one, in a working tree, and only what it did', async () => {
    using it = started();
    const bad = it.repo.commit({ 'hello.yaml': helloServer('hello', 'Oops') }, 'Greet badly');
    writeFileSync(join(it.repo.work, 'notes.yaml.draft'), 'mine');
    const dry = await it.here('--dry-run', '--diff');
    expect(dry.out).toContain('-  env: [{ name: GREETING, value: Oops }]');
    expect(dry.out).toContain('server/hello rolled back (dry run)  hello.yaml');
    expect(it.repo.git('rev-parse', 'HEAD')).toBe(bad);
    expect(await it.here('-1')).toMatchObject({ code: 0, out: 'server/hello rolled back  hello.yaml' });
    expect(it.repo.git('log', '-1', '--format=%B')).toBe(`Revert "Greet badly"\n\nThis reverts commit ${bad}.`);
    expect(readFileSync(join(it.repo.work, 'hello.yaml'), 'utf8')).toBe(START['hello.yaml']);
    expect(it.repo.git('status', '--porcelain')).toBe('?? notes.yaml.draft');
    // And back again: a revert is a commit like any other.
    expect((await it.here()).code).toBe(0);
    expect(at(it.repo, 'HEAD', 'hello.yaml')).toContain('Oops');
  });

  test('undoes an older commit where the lines since are others: added and deleted files, programs too', async () => {
    using it = started();
    it.repo.commit({ 'hello.mjs': HELLO_PROGRAM.replace('Greets', 'Insults') }, 'Be rude');
    const change = it.repo.commit(
      { 'servus.yaml': helloServer('servus', 'Servus'), 'hello.yaml': helloServer('hello', 'Hi') },
      'Two of them',
    );
    it.repo.commit({ 'hello.yaml': `# Ours.\n${helloServer('hello', 'Hi')}` }, 'Say whose it is');
    expect(await it.here(change.slice(0, 9), '-m', 'One was enough')).toMatchObject({
      code: 0,
      out: 'server/hello rolled back  hello.yaml\nserver/servus deleted  servus.yaml',
    });
    expect(at(it.repo, 'HEAD', 'hello.yaml')).toMatch(/^# Ours\.\n[^]*value: Hello/);
    expect(it.repo.git('log', '-1', '--format=%s')).toBe('One was enough');
    expect((await it.here('-4')).out).toBe('file/hello.mjs rolled back  hello.mjs');
    expect(at(it.repo, 'HEAD', 'hello.mjs')).toContain('Greets');
    expect((await it.here('HEAD~1')).out).toContain('server/servus restored');
  });

  test('a branch, and a repo elsewhere: a commit on top of what is there', async () => {
    using it = started();
    it.repo.push({ 'hello.yaml': helloServer('hello', 'Oops'), '.github/x.yaml': 'a: b\n' }, 'Greet badly');
    const before = it.repo.git('ls-remote', it.repo.remote, 'refs/heads/main');
    const branched = await it.there('-1', '--branch', 'undo');
    expect(branched.code).toBe(0);
    expect(branched.err).toMatch(/Left as it is, for it is no config: \.github\/x\.yaml\ncommitted \w{8} to undo/);
    expect(it.repo.git('ls-remote', it.repo.remote, 'refs/heads/main')).toBe(before);
    expect((await it.there('HEAD')).err).toMatch(/committed \w{8} to main$/);
    it.repo.git('fetch', '--quiet', 'origin');
    for (const ref of ['origin/undo', 'origin/main'])
      expect(at(it.repo, ref, 'hello.yaml')).toBe(START['hello.yaml'].trim());
    expect(at(it.repo, 'origin/main', '.github/x.yaml')).toBe('a: b');
  });

  test('below a path of the repo', async () => {
    using it = started();
    const inside = Object.fromEntries(Object.entries(START).map(([name, text]) => [`prod/${name}`, text]));
    it.repo.push({ ...inside, 'README.md': 'one' });
    it.repo.push({ 'prod/hello.yaml': helloServer('hello', 'Oops'), 'README.md': 'two' });
    const { code, out, err } = await it.there('-1', '--path', 'prod');
    expect([code, out, err]).toEqual([
      0,
      'server/hello rolled back  hello.yaml',
      expect.stringContaining('no config: README.md'),
    ]);
    it.repo.git('fetch', '--quiet', 'origin');
    expect(at(it.repo, 'origin/main', 'prod/hello.yaml')).toBe(START['hello.yaml'].trim());
  });

  test('where it cannot be undone nothing is written, and it says why', async () => {
    using it = started();
    const first = it.repo.commit({ 'hello.yaml': helloServer('hello', 'Hi') });
    const last = it.repo.commit({ 'hello.yaml': helloServer('hello', 'Hey') });
    it.repo.git('branch', 'aside', 'HEAD~1');
    const refused = async (args: readonly string[], code: string, text: string): Promise<void> => {
      const said = await it.here(...args);
      expect(said, args.join(' ')).toMatchObject({ out: '', err: expect.stringContaining(`[${code}]`) });
      expect(said.err).toContain(text);
      expect(said.code).not.toBe(0);
      expect(it.repo.git('rev-parse', 'HEAD')).toBe(last);
    };
    await refused([first], 'conflict', `hello.yaml was changed in the same place since commit ${first.slice(0, 8)}`);
    await refused(['-3'], 'usage', 'first commit');
    await refused(['-9'], 'ref-not-found', 'no commit -9');
    await refused(['nowhere'], 'ref-not-found', 'no commit nowhere');
    await refused(['--upload-pack=x'], 'usage', 'nknown option');
    const mine = `${helloServer('hello', 'Hey')}  # not yet\n`;
    writeFileSync(join(it.repo.work, 'hello.yaml'), mine);
    await refused(['-1'], 'conflict', 'hello.yaml has changes that are not committed');
    expect(readFileSync(join(it.repo.work, 'hello.yaml'), 'utf8')).toBe(mine);
  });

  test('what would not be valid any more is refused with its issues', async () => {
    using it = started();
    it.repo.commit({ 'servus.yaml': helloServer('servus', 'Servus') }, 'Add servus');
    const project = 'apiVersion: slipway/v1\nkind: Project\nmetadata: { name: dev }\nspec: { servers: [servus] }\n';
    const last = it.repo.commit({ 'dev.yaml': project }, 'Use servus');
    const { code, err } = await it.here('-2');
    expect(code).toBe(1);
    expect(err).toMatch(/dev\.yaml:\d+:\d+: [^]*servus[^]*nothing was changed. \[invalid-config\]/);
    expect(it.repo.git('rev-parse', 'HEAD')).toBe(last);
    expect(it.repo.git('status', '--porcelain')).toBe('');
  });

  test('a merge is undone as a whole, and what is undone already needs nothing', async () => {
    using it = started();
    it.repo.git('checkout', '--quiet', '-b', 'feature');
    it.repo.commit({ 'servus.yaml': helloServer('servus', 'Servus') });
    it.repo.git('checkout', '--quiet', '-');
    it.repo.git('merge', '--quiet', '--no-ff', '-m', 'Merge feature', 'feature');
    const merge = it.repo.git('rev-parse', 'HEAD');
    expect((await it.here('-1')).out).toBe('server/servus deleted  servus.yaml');
    expect(await it.here(merge)).toMatchObject({ code: 0, out: '', err: expect.stringContaining('nothing is left') });
  });

  test('a plain folder has nothing to go back to', async () => {
    using dir = tempDir();
    writeFileSync(join(dir.path, 'gateway.yaml'), GATEWAY);
    const { code, err } = await cli(['rollback'], { cwd: dir.path });
    expect([code, err]).toEqual([64, expect.stringContaining('no git repository')]);
  });
});
