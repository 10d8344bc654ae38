/** `slipway init`: what it asks, what it refuses, and that whatever it makes starts. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { STARTERS } from '../../cli/starters/starters.ts';
import { cli } from '../helpers/cli.ts';
import { describeEngine, sweep } from '../helpers/engine.ts';
import { nodeImage } from '../helpers/images.ts';
import { Desk } from '../helpers/slipway.ts';
import { tempDir } from '../helpers/temp.ts';
import { Terminal } from '../helpers/terminal.ts';

const CALL = ['call', 'hello', 'hello', '{"name":"Ada"}'];

/** Makes a repo and serves it, as its own page says. */
async function served(desk: Desk, template: string): Promise<{ url: string; token: string; dir: string }> {
  const made = await desk.slipway(['init', 'made', '--template', template, '--no-input'], { cwd: desk.home });
  expect(made).toMatchObject({ code: 0 });
  const dir = join(desk.home, 'made');
  return { url: await (await desk.up(['--repo', dir])).serving, token: made.out, dir };
}

describe('what it makes', () => {
  test.each(Object.keys(STARTERS))('%s is valid, committed, and has its schema for editors', async (template) => {
    using dir = tempDir();
    const root = dir.at('made');
    expect((await cli(['init', 'made', '--template', template], { cwd: dir.path })).code).toBe(0);
    expect((await cli(['validate'], { cwd: root })).out).toMatch(/^\d+ resources, no issues$/);
    expect((await cli(['plan', '--state-dir', dir.at('state')], { cwd: root })).code).toBe(2);
    expect(execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' })).toBe('');
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
    for (const file of files.filter((name) => name.endsWith('.yaml'))) {
      const schema = /\$schema=(\S+)/.exec(readFileSync(join(root, file), 'utf8'))?.[1];
      expect(existsSync(join(root, file, '..', schema ?? 'none')), file).toBe(true);
    }
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain('slipway ');
  });

  test('plain starts, and its tools can be called', async () => {
    await using desk = new Desk();
    await served(desk, 'plain');
    expect(await desk.slipway([...CALL, '--state-dir', desk.state])).toMatchObject({ code: 0, out: 'Hello, Ada!' });
  });

  test('team starts, lets in who has its token, and nobody else; the token stands in no file', async () => {
    await using desk = new Desk();
    const { url, token, dir } = await served(desk, 'team');
    expect(token).toMatch(/^slw_[\w-]{43}$/);
    expect(desk.git(dir, 'grep', '--name-only', '-e', '^  sha256:')).toBe('tokens/admin.yaml');
    expect(() => desk.git(dir, 'grep', token)).toThrow();
    expect((await desk.slipway([...CALL, '--server', url])).err).toContain('[unauthorized]');
    expect(await desk.slipway([...CALL, '--server', url, '--token', token])).toMatchObject({
      code: 0,
      out: 'Hello, Ada!',
    });
    expect((await desk.slipway(['sync', '--wait', '--server', url, '--token', token])).code).toBe(0);
  });
});

describeEngine('what it makes for containers', (engine) => {
  test('docker starts once its image is built, as it says', async () => {
    await using desk = new Desk();
    const env = { DOCKER_HOST: engine.address.host };
    const made = await desk.slipway(['init', 'made', '--template', 'docker'], { cwd: desk.home });
    const build = STARTERS.docker.first;
    expect(made.err).toContain(`  ${build}\n  slipway up`);
    const [program = '', ...args] = build.split(' ');
    // On the image of this machine in the place of the public one.
    args.splice(-1, 0, '--quiet', '--build-arg', `BASE=${await nodeImage(engine)}`);
    execFileSync(program, args, { cwd: join(desk.home, 'made'), env: { ...process.env, ...env } });
    await desk.up(['--repo', join(desk.home, 'made')], env);
    try {
      expect((await desk.slipway([...CALL, '--state-dir', desk.state])).out).toContain('Hello, Ada!');
    } finally {
      await sweep(engine, readFileSync(join(desk.state, 'owner'), 'utf8'));
    }
  });
});

describe('what it asks', () => {
  test('on a terminal: where, and what to begin with; a wrong answer is asked again', async () => {
    await using desk = new Desk();
    await using terminal = new Terminal('slipway init', {
      cwd: desk.home,
      env: { ...desk.env(), PATH: desk.path() },
    });
    await terminal.type('', 'Which folder? [.] ');
    await terminal.type('mine\r', '[1] ');
    expect(await terminal.type('4\r', '[1] ')).toContain('There is no 4.');
    const said = await terminal.type('team\r', 'slipway up');
    expect(said).toMatch(/slw_[\w-]{43}[^]*never again[^]*Made .*mine\. Next:\r?\n {2}cd mine/);
    expect(readdirSync(join(desk.home, 'mine')).sort()).toEqual(
      ['.git', '.slipway', 'README.md', 'servers', 'slipway.yaml', 'tokens'].sort(),
    );
  });

  test('nothing with --no-input, nor with a template, nor where nobody sits', async () => {
    await using desk = new Desk();
    const env = { ...desk.env(), PATH: desk.path() };
    for (const line of ['slipway init a --no-input', 'slipway init b --template plain']) {
      await using terminal = new Terminal(line, { cwd: desk.home, env });
      expect(await terminal.type('', 'slipway up')).not.toContain('?');
    }
    expect(await desk.slipway(['init', 'c'], { cwd: desk.home })).toMatchObject({ code: 0, out: '' });
  });
});

test('what is there is never written over', async () => {
  using dir = tempDir();
  mkdirSync(dir.at('used'));
  writeFileSync(dir.at('used/mine.txt'), 'mine');
  for (const place of ['used', 'used/mine.txt']) {
    const { code, err } = await cli(['init', place, '--template', 'team'], { cwd: dir.path });
    expect([code, err]).toEqual([1, expect.stringContaining('[exists]')]);
  }
  expect(readdirSync(dir.at('used'))).toEqual(['mine.txt']);
  const wrong = await cli(['init', 'x', '--template', 'cloud'], { cwd: dir.path });
  expect([wrong.code, wrong.err]).toEqual([64, expect.stringContaining('plain, team, docker')]);
});
