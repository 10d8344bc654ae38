/** What is published and installed: the package of npm in an empty prefix, one file, and those of Debian and of RPM’s kin. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../cli/build.ts';
import { debianPackage } from '../../cli/deb.ts';
import { rpmPackage } from '../../cli/rpm.ts';
import { singleFile } from '../../cli/single.ts';
import { required } from '../helpers/required.ts';
import { Desk, Running } from '../helpers/slipway.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

let desk: Desk;
let prefix: string;
let dist: string;
beforeAll(async () => {
  desk = new Desk();
  prefix = join(desk.home, 'prefix');
  const source = join(desk.home, 'source');
  dist = join(source, 'dist');
  for (const path of ['package.json', 'README.md', 'LICENSE', 'schemas/json'])
    cpSync(join(ROOT, path), join(source, path), { recursive: true });
  await build(dist);
  // `prepack` is the build that was just made.
  const [packed] = JSON.parse(npm(source, 'pack', '--json', '--ignore-scripts')) as { filename: string }[];
  npm(desk.home, 'install', '--global', '--prefix', prefix, '--offline', join(source, packed?.filename ?? ''));
});
afterAll(() => desk[Symbol.asyncDispose]());

function npm(cwd: string, ...args: string[]): string {
  const env = {
    ...process.env,
    npm_config_cache: join(desk.home, 'npm'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** As somebody who installed it, with nothing else of it on the machine. */
const env = (): NodeJS.ProcessEnv => ({
  ...desk.env(),
  PATH: `${join(prefix, 'bin')}:${join(process.execPath, '..')}:${process.env['PATH']}`,
});

describe('the package of npm', () => {
  test('brings the program, man pages, completions and licences, and no dependencies', () => {
    const installed = join(prefix, 'lib/node_modules/slipway');
    expect(existsSync(join(installed, 'node_modules'))).toBe(false);
    expect(readdirSync(installed).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json', 'schemas']);
    expect(readdirSync(join(prefix, 'share/man/man1'))).toEqual(expect.arrayContaining(['slipway.1', 'slipway-get.1']));
    expect(readdirSync(join(installed, 'dist/completions')).sort()).toEqual(['_slipway', 'slipway', 'slipway.fish']);
    expect(readFileSync(join(installed, 'dist/THIRD-PARTY.txt'), 'utf8')).toContain('commander ');
    const answer = spawnSync('slipway', ['__complete', 'get', 'serv'], {
      cwd: desk.home,
      env: env(),
      encoding: 'utf8',
    });
    expect(answer.stdout).toContain('servers\t');
    const man = join(prefix, 'share/man/man1/slipway-get.1');
    expect(readFileSync(man, 'utf8')).toMatch(/^\.TH SLIPWAY\\-GET 1 /);
  });

  test('what the README shows works with it, line by line', { timeout: 180_000 }, async () => {
    // The block that begins a repo, but for `up`, which goes on; then the block for another terminal.
    const blocks = [...README.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
    const begin = blocks.find((block) => block.startsWith('slipway init demo')) ?? '';
    const after = blocks.find((block) => block.startsWith('cd demo')) ?? '';
    expect(begin).toContain('slipway up');
    const lines = (block: string): string[] => block.split('\n').filter((line) => line.trim() !== '');
    const run = (line: string, cwd: string) =>
      spawnSync('bash', ['-c', line], {
        cwd,
        env: {
          ...env(),
          EDITOR: 'sed -i s/Hello/Ahoy/',
          GIT_CONFIG_COUNT: '2',
          GIT_CONFIG_KEY_0: 'user.name',
          GIT_CONFIG_VALUE_0: 'Ada',
          GIT_CONFIG_KEY_1: 'user.email',
          GIT_CONFIG_VALUE_1: 'ada@example.com',
        },
        encoding: 'utf8',
      });
    const demo = join(desk.home, 'demo');
    for (const line of lines(begin).filter((one) => !one.startsWith('slipway up'))) {
      const { status, stderr } = run(line, existsSync(demo) ? demo : desk.home);
      expect([0, line.startsWith('slipway plan') ? 2 : 0], `${line}\n${stderr}`).toContain(status);
    }
    const up = spawn('slipway', ['up', '--listen', '127.0.0.1:0'], {
      cwd: demo,
      env: env(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = new Running(up);
    try {
      await running.serving;
      // A server of the starter comes from the registry of npm, which takes a while.
      await expect.poll(() => run('slipway status', demo).status, { timeout: 120_000, interval: 500 }).toBe(0);
      for (const line of lines(after).filter((one) => one !== 'cd demo')) {
        const { status, stderr } = run(line, demo);
        expect([0, line.startsWith('slipway plan') ? 2 : 0], `${line}\n${stderr}`).toContain(status);
      }
      const { stdout } = run(`slipway call hello hello '{"name":"Ada"}'`, demo);
      expect(stdout).toContain('Ahoy, Ada');
    } finally {
      expect((await running.stop()).code).toBe(0);
    }
  });

  test('an old Node is told what to do', () => {
    const old = join(desk.home, 'old.cjs');
    const versions = `{ value: { ...process.versions, node: '20.11.0' } }`;
    writeFileSync(old, `Object.defineProperty(process, 'versions', ${versions});\n`);
    const program = join(prefix, 'bin/slipway');
    const { status, stderr } = spawnSync(process.execPath, ['--require', old, program, 'version'], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^slipway needs Node 24 or newer.*\nhint: Install Node 24/);
  });
});

const isDebian = spawnSync('dpkg-deb', ['--version']).status === 0;
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
required('dpkg-deb', isDebian);
required('systemd-analyze', hasSystemd);

test('one file runs where nothing is installed, lays itself out once, and cleans up after a run that was cut short', () => {
  const file = singleFile(dist, desk.home);
  const cache = join(desk.home, 'cache');
  const run = (...args: string[]) =>
    spawnSync(file, args, {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', XDG_CACHE_HOME: cache, HOME: '/nowhere' },
    });
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(run('version').stdout).toContain(`node ${process.versions.node}`);
  const [name = '', ...others] = readdirSync(join(cache, 'slipway'));
  expect([name.startsWith(`${version}-`), others]).toEqual([true, ['compiled']]);
  expect(statSync(join(cache, 'slipway', name)).mode & 0o077).toBe(0);
  const before = statSync(join(cache, 'slipway', name, 'node')).ctimeMs;
  expect(run('validate', '/nowhere').status).toBe(1);
  expect(statSync(join(cache, 'slipway', name, 'node')).ctimeMs).toBe(before);
  rmSync(cache, { recursive: true });
  const torn = join(desk.home, 'torn');
  writeFileSync(torn, readFileSync(file).subarray(0, 1_000_000), { mode: 0o755 });
  const cut = spawnSync(torn, ['version'], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', XDG_CACHE_HOME: cache } });
  expect(cut.status).not.toBe(0);
  expect(readdirSync(join(cache, 'slipway'))).toEqual([]);
});

const hasRpm = spawnSync('rpmbuild', ['--version']).status === 0;
required('rpmbuild', hasRpm);

describe.runIf(hasRpm)('the RPM', () => {
  let file: string;
  beforeAll(() => {
    file = rpmPackage(dist, desk.home);
  });
  const asked = (...args: string[]): string => execFileSync('rpm', ['-qp', ...args, file], { encoding: 'utf8' });

  test('says what it is and needs, and keeps what an administrator wrote', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(asked('--queryformat', '%{NAME} %{VERSION} %{LICENSE}')).toBe(`slipway ${version} Apache-2.0`);
    expect(asked('--requires').split('\n')).toContain('git');
    expect(asked('--configfiles').trim()).toBe('/etc/slipway/slipway.env');
  });

  test('holds the same as the package of Debian, where its kin look for it; it is all of root’s', () => {
    const files = asked('--queryformat', '[%{FILENAMES} %{FILEUSERNAME} %{FILEMODES:perms}\n]').trim().split('\n');
    expect(files.filter((line) => !line.includes(' root '))).toEqual([]);
    expect(files).toContain('/etc/slipway/slipway.env root -rw-------');
    expect(files).toContain('/usr/lib/slipway/node root -rwxr-xr-x');
    for (const path of [
      '/usr/lib/slipway/dist/slipway.js',
      '/usr/lib/systemd/system/slipway.service',
      '/usr/share/man/man1/slipway-get.1.gz',
      '/usr/share/bash-completion/completions/slipway',
      '/usr/share/zsh/site-functions/_slipway',
      '/usr/share/licenses/slipway/LICENSE',
    ])
      expect(files.map((line) => line.split(' ')[0])).toContain(path);
  });
});

describe.runIf(isDebian)('the package of Debian', () => {
  let tree: string;
  let file: string;
  beforeAll(() => {
    tree = join(desk.home, 'tree');
    file = debianPackage(dist, desk.home);
    execFileSync('dpkg-deb', ['--extract', file, tree]);
  });

  test('says what it is and needs', () => {
    const field = (name: string): string =>
      execFileSync('dpkg-deb', ['--field', file, name], { encoding: 'utf8' }).trim();
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect([field('Package'), field('Version')]).toEqual(['slipway', version]);
    expect(field('Depends')).toContain('git');
  });

  test('runs with the Node that it brings, and has all that belongs to it', () => {
    const lib = join(tree, 'usr/lib/slipway');
    const { stdout } = spawnSync(join(lib, 'node'), [join(lib, 'dist/slipway.js'), 'version'], {
      encoding: 'utf8',
      env: {},
    });
    expect(stdout).toContain(`node ${process.versions.node}`);
    expect(readFileSync(join(tree, 'usr/bin/slipway'), 'utf8')).toContain(
      'exec /usr/lib/slipway/node /usr/lib/slipway/dist/slipway.js "$@"',
    );
    for (const path of [
      'usr/share/man/man1/slipway-get.1.gz',
      'usr/share/bash-completion/completions/slipway',
      'usr/share/zsh/vendor-completions/_slipway',
      'usr/share/fish/vendor_completions.d/slipway.fish',
    ])
      expect(existsSync(join(tree, path)), path).toBe(true);
    const copyright = readFileSync(join(tree, 'usr/share/doc/slipway/copyright'), 'utf8');
    for (const of of ['Apache License', 'Node.js', 'commander ']) expect(copyright).toContain(of);
  });

  test.runIf(hasSystemd)('its unit is valid and shut in', () => {
    const unit = join(tree, 'usr/lib/systemd/system/slipway.service');
    // Where the package is not installed, the program lies elsewhere.
    const folder = join(desk.home, 'units');
    mkdirSync(folder);
    const elsewhere = join(folder, 'slipway.service');
    writeFileSync(elsewhere, readFileSync(unit, 'utf8').replace('/usr/bin/slipway', join(tree, 'usr/bin/slipway')));
    const verify = spawnSync('systemd-analyze', ['verify', '--man=no', elsewhere], { encoding: 'utf8' });
    expect({ status: verify.status, said: verify.stderr + verify.stdout }).toEqual({ status: 0, said: '' });
    // Out of 10; 3.1 when it was written. It fails above the threshold, which is in tenths.
    const security = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=35', elsewhere], {
      encoding: 'utf8',
    });
    expect(security.status, security.stdout + security.stderr).toBe(0);
  });
});
