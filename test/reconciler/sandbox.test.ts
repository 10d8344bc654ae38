/** The sandbox of processes: what a program in there sees and reaches, and what happens where there is none. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findProgram } from '../../reconciler/drivers/process/environment.ts';
import { judge, NOBODY, sandboxArgv, type Sandbox } from '../../reconciler/drivers/process/sandbox.ts';
import type { StateDir } from '../../reconciler/state.ts';
import type { Isolation, RunSpec, SecretFile } from '../../reconciler/workload.ts';
import type { Connection } from '../../schemas/peer.ts';
import { resource } from '../helpers/config.ts';
import { holder } from '../helpers/held.ts';
import { callTool } from '../helpers/mcp.ts';
import { connected, processRig } from '../helpers/process-driver.ts';
import { marked, survivors } from '../helpers/processes.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';
import { workload } from '../helpers/workload.ts';

const PROGRAMS = fileURLToPath(new URL('../fixtures/programs', import.meta.url));
const never = (): AbortSignal => new AbortController().signal;
const isRoot = process.getuid?.() === 0;

const HOST: Sandbox = {
  bwrap: '/usr/bin/bwrap',
  prlimit: '/usr/bin/prlimit',
  system: { '/usr': undefined, '/bin': 'usr/bin' },
};
const run = (isolation: Isolation, more: Partial<RunSpec> = {}): RunSpec =>
  workload({ argv: ['node'], run: { isolation, ...more } }).run;

describe('what is decided', () => {
  const verdict = (isolation: Isolation, more: Partial<RunSpec> = {}, host: Sandbox | string = HOST): unknown => {
    try {
      return judge(run(isolation, more), host);
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`;
    }
  };
  const NETWORK = 'its network is that of this host, with what listens on its loopback';
  const pypi = { program: { type: 'package', ecosystem: 'pypi', name: 'p', version: '1', args: [] } } as const;
  const limits = { resources: { memoryBytes: 1, cpu: 1 } };

  test.each<[string, unknown, unknown]>([
    ['nothing asked for', verdict({}), { sandboxed: false }],
    ['off', verdict({ sandbox: 'off' }), { sandboxed: false }],
    [
      'off, but a limit is written',
      verdict({ egress: 'none' }, limits),
      {
        sandboxed: false,
        exposed: ['without a sandbox, isolation.egress, resources.memory, resources.cpu cannot be enforced'],
      },
    ],
    ['strict', verdict({ sandbox: 'strict' }), { sandboxed: true, exposed: [] }],
    ['with the network', verdict({ sandbox: 'strict', egress: 'all' }), { sandboxed: true, exposed: [NETWORK] }],
    ['with the host’s', verdict({ sandbox: 'auto', hostNetwork: true }), { sandboxed: true, exposed: [NETWORK] }],
    [
      'with limits',
      verdict({ sandbox: 'auto' }, limits),
      { sandboxed: true, exposed: ['resources.memory, resources.cpu cannot be enforced for a process'] },
    ],
    [
      'auto where there is none',
      verdict({ sandbox: 'auto' }, {}, 'no bwrap.'),
      { sandboxed: false, exposed: ['it runs without a sandbox: no bwrap.'] },
    ],
    [
      'strict where there is none',
      verdict({ sandbox: 'strict' }, {}, 'no bwrap.'),
      'isolation-unavailable: no bwrap. isolation.sandbox: strict asks for a sandbox.',
    ],
    ['strict for uvx', verdict({ sandbox: 'strict' }, pypi), expect.stringContaining('isolation-unavailable: uvx')],
    ['auto for uvx', verdict({ sandbox: 'auto' }, pypi), expect.objectContaining({ sandboxed: false })],
  ])('%s', (_, actual, expected) => expect(actual).toEqual(expected));

  test.each<[string, Isolation, Partial<RunSpec>]>([
    ['a list of hosts', { egress: { allow: ['example.com:443'] } }, {}],
    ['http without the network', {}, { transport: 'http' }],
    ['a capability', { capabilities: ['NET_ADMIN'] }, {}],
    ['a user', { user: '1000' }, {}],
  ])('%s is refused, strict or not, sandbox or not', (_, isolation, more) => {
    for (const sandbox of ['auto', 'strict'] as const)
      for (const host of [HOST, 'no bwrap.'])
        expect(verdict({ ...isolation, sandbox }, more, host)).toContain('isolation-unavailable');
  });

  test('the argv names every place, never the root, and closes what was not opened', () => {
    const argv = sandboxArgv(HOST, { isolation: {}, work: '/state/work/a', reads: ['/state/p'] }, ['node', 'x']);
    const binds = argv.flatMap((word, at) => (/^--(ro-)?bind/.test(word) ? [argv.slice(at, at + 3).join(' ')] : []));
    expect(binds.filter((bind) => bind.includes('-try') === false)).toEqual([
      '--ro-bind /usr /usr',
      '--ro-bind /state/p /state/p',
      '--bind /state/work/a /state/work/a',
    ]);
    for (const word of ['--unshare-net', '--unshare-pid', '--die-with-parent', '--new-session', '--unshare-user'])
      expect(argv).toContain(word);
    expect(argv.join(' ')).toContain('--symlink usr/bin /bin');
    expect(argv.join(' ')).toMatch(/--cap-drop ALL .*--nproc=128 .* -- node x$/);
    const open = sandboxArgv(HOST, { isolation: { egress: 'all', pids: 9 }, work: '/w', reads: [] }, ['node']);
    expect(open).not.toContain('--unshare-net');
    expect(open).toContain('--nproc=9');
  });
});

const installed = spawnSync('bwrap', ['--version']).status === 0;
const required = (process.env['SLIPWAY_REQUIRE'] ?? '').split(/[\s,]+/).includes('bwrap');

// Where bubblewrap is required but missing, each test fails with why it cannot be used.
describe.skipIf(!installed && !required)(
  installed || required ? 'in the sandbox' : 'in the sandbox (skipped: bubblewrap is not installed)',
  () => {
    test('a program has its own directory and the system, and nothing of the host', async () => {
      await using rig = await cagedRig();
      using outside = tempDir();
      writeFileSync(outside.at('secret'), 'hidden');
      const { id, call } = await rig.caged();
      const other = await rig.caged('other');
      const { paths, root } = rig.state;
      for (const path of [outside.at('secret'), join(root, 'session.key'), join(paths.work, other.id, 'caged.mjs')])
        expect(await call('read', { path }), path).toBe('ENOENT');
      // Where Node or the state lies in the home, the way to it is there, and nothing beside it.
      const hidden = [process.execPath, root].some((path) => path.startsWith(homedir())) ? [] : [homedir()];
      for (const path of [...hidden, paths.logs, paths.packages, '/srv', '/boot'])
        expect(await call('list', { path }), path).toBe('ENOENT');
      for (const path of ['/run', '/var']) expect(await call('list', { path }), path).toBe('[]');
      expect(JSON.parse(await call('list', { path: paths.work }))).toEqual([id]);
      expect(await call('read', { path: '/etc/shadow' })).toBe('ENOENT');
      expect(JSON.parse(await call('list', { path: '/proc' })).filter(Number).length).toBeLessThan(5);
      expect(await call('read', { path: join(paths.work, id, 'caged.mjs') })).toContain('Tells how far');
    });

    test('it writes to its directory and to memory, and nowhere else', async () => {
      await using rig = await cagedRig();
      const { call, id } = await rig.caged('tiny', { writable: ['/var/cache/x'] });
      for (const path of [join(rig.state.paths.work, id, 'x'), '/tmp/x', '/dev/shm/x', '/var/cache/x/y'])
        expect(await call('write', { path }), path).toBe('written');
      for (const path of ['/x', '/usr/x', '/etc/x', '/dev/x', '/proc/sys/kernel/core_pattern'])
        expect(await call('write', { path }), path).toMatch(/^(EROFS|EACCES|ENOENT)$/);
    });

    test('its secret files are where containers have them, to be read only, and nobody else’s are', async () => {
      await using rig = await cagedRig();
      using outside = tempDir();
      writeFileSync(outside.at('token'), 'kept');
      const file = { name: 'token', secret: { secret: 's', key: 'token', from: { file: outside.at('token') } } };
      const { call } = await rig.caged('tiny', {}, [file]);
      const other = await rig.caged('other');
      expect(await call('read', { path: '/run/secrets/token' })).toBe('kept');
      expect(await call('write', { path: '/run/secrets/token' })).toMatch(/^(EROFS|EACCES)$/);
      const { env } = JSON.parse(await call('who')) as { env: Record<string, string> };
      expect(env['CREDENTIALS_DIRECTORY']).toBe('/run/secrets');
      expect(await call('list', { path: '/dev/shm' })).toBe('[]');
      expect(await other.call('read', { path: '/run/secrets/token' })).toBe('ENOENT');
    });

    test('it is nobody, without rights, and carries its marks', async () => {
      await using rig = await cagedRig();
      const { call, id } = await rig.caged();
      const who = JSON.parse(await call('who')) as { uid: number; cwd: string; env: Record<string, string> };
      expect(who.uid).toBe(isRoot ? NOBODY : process.getuid?.());
      expect(who.cwd).toBe(join(rig.state.paths.work, id));
      expect(who.env).toMatchObject({ HOME: who.cwd, TMPDIR: '/tmp', SLIPWAY_INSTANCE: id });
      const status = await call('read', { path: '/proc/self/status' });
      expect(status).toMatch(/CapEff:\s0+\n/);
      expect(status).toMatch(/NoNewPrivs:\s1\n/);
      const outside = marked(`SLIPWAY_INSTANCE=${id}`).map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
      // The kernel sees nobody too: a user namespace alone would be root's there.
      if (isRoot)
        expect(outside.find((text) => text.includes('Name:\tMainThread') || text.includes('Name:\tnode'))).toMatch(
          /Uid:\s65534\s/,
        );
    });

    test('it reaches no network unless that is allowed', async () => {
      await using rig = await cagedRig();
      await using listener = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
      await once(listener, 'listening');
      const host = { host: '127.0.0.1', port: (listener.address() as AddressInfo).port };
      expect(await (await rig.caged()).call('connect', host)).toMatch(/^(ECONNREFUSED|ENETUNREACH)$/);
      const open = await rig.caged('open', { egress: 'all' });
      expect(await open.call('connect', host)).toBe('connected');
      expect(open.exposed).toEqual(['its network is that of this host, with what listens on its loopback']);
      expect((await rig.caged()).exposed).toEqual([]);
    });

    test('it cannot reach a socket of the host, nor of Slipway', async () => {
      await using rig = await cagedRig();
      const { call, id } = await rig.caged();
      for (const path of ['/run/docker.sock', '/var/run/docker.sock', join(rig.state.paths.sockets, `${id}.sock`)])
        expect(await call('connect', { path }), path).toBe('ENOENT');
    });

    test('it can start only so many processes', async () => {
      await using rig = await cagedRig();
      const { call } = await rig.caged('tiny', { pids: 24 });
      const { n, code } = JSON.parse(await call('spawn', { most: 60 })) as { n: number; code?: string };
      expect(code).toBe('EAGAIN');
      expect(n).toBeLessThan(24);
      expect(await (await rig.caged('other', { pids: 24 })).call('who')).toContain('pid');
    });

    test('what is removed is gone with all that it started', async () => {
      await using rig = await cagedRig();
      const { call, id } = await rig.caged();
      await call('spawn', { most: 3 });
      const mark = `SLIPWAY_INSTANCE=${id}`;
      const running = marked(mark);
      expect(running.length).toBeGreaterThanOrEqual(4);
      await rig.driver.remove(id, never());
      expect(await survivors(running)).toEqual([]);
      expect(marked(mark)).toEqual([]);
    });

    test('over HTTP it is told to end, and has the time to', async () => {
      await using rig = await processRig();
      const files = stage(rig.state, ['http.mjs']);
      const isolation = { sandbox: 'strict', egress: 'all' } as const;
      const wanted = workload({
        argv: ['node', 'http.mjs', 'v1', 'farewell'],
        transport: 'http',
        run: { files, isolation },
      });
      const instance = await rig.driver.ensure(wanted, 0, never());
      await listening(instance.endpoint.address);
      await rig.driver.remove(instance.id, never());
      const log = rig.driver.logs?.(wanted.address, { signal: never() }) ?? [];
      expect((await Array.fromAsync(log)).join('\n')).toContain('stderr farewell');
      expect(marked(`SLIPWAY_INSTANCE=${instance.id}`)).toEqual([]);
    });

    test('killed, Slipway takes it along, before any next start', async () => {
      await using other = await holder('caged');
      const running = marked(`SLIPWAY_OWNER=${other.owner}`);
      expect(running.length).toBeGreaterThanOrEqual(4);
      await other.kill();
      expect(await survivors(running)).toEqual([]);
    });

    test('a folder of the host is there where it was mounted, programs in it included', async () => {
      await using rig = await cagedRig();
      using outside = tempDir();
      chmodSync(outside.path, 0o755);
      writeFileSync(outside.at('data'), 'shared');
      writeFileSync(outside.at('tool'), '#!/bin/sh\nexec cat "$(dirname "$0")/data"\n', { mode: 0o755 });
      const mounts = [{ host: outside.path, path: '/data', readOnly: true }];
      const { call, id } = await rig.caged('tiny', { mounts });
      expect(await rig.driver.exec?.(id, ['/data/tool'], never())).toMatchObject({ code: 0, output: 'shared' });
      expect(await call('read', { path: '/data/data' })).toBe('shared');
      expect(await call('write', { path: '/data/x' })).toMatch(/^(EROFS|EACCES)$/);
    });

    describe('where bubblewrap is missing', () => {
      const path = process.env['PATH'];
      const bin = tempDir();
      beforeEach(() => {
        mkdirSync(bin.path, { recursive: true });
        symlinkSync(findProgram('git') ?? '', bin.at('git'));
        process.env['PATH'] = bin.path;
      });
      afterEach(() => {
        process.env['PATH'] = path;
        bin[Symbol.dispose]();
      });

      test('strict refuses, and the version before keeps serving; auto runs, and says so', async () => {
        await using rig = await Rig.make();
        const files = { 'good.mjs': read('good.mjs'), 'mcp.mjs': read('mcp.mjs') };
        await rig.apply({ ...files, 'a.yaml': good('v1') });
        expect(await rig.condition('tiny', 'Isolated')).toBeUndefined();
        await rig.apply({ 'a.yaml': good('v2', 'strict') });
        expect(await rig.condition('tiny')).toBe('False=RolledBack');
        expect(await rig.call('tiny', 'version')).toBe('v1');
        const { servers } = await rig.reconciler.status();
        expect(JSON.stringify(servers[0]?.conditions)).toContain('bwrap, prlimit');
        await rig.apply({ 'a.yaml': good('v3', 'auto') });
        expect(await rig.call('tiny', 'version')).toBe('v3');
        expect(await rig.condition('tiny')).toBe('True=Succeeded');
        expect(await rig.condition('tiny', 'Isolated')).toBe('False=Exposed');
        process.env['PATH'] = path;
        await rig.apply({ 'a.yaml': good('v4', 'strict') });
        expect(await rig.call('tiny', 'version')).toBe('v4');
        expect(await rig.condition('tiny', 'Isolated')).toBe('True=ShutIn');
      });
    });
  },
);

const read = (name: string): string => readFileSync(join(PROGRAMS, name), 'utf8');

const good = (version: string, sandbox?: string): string =>
  resource('Server', 'tiny', {
    command: [process.execPath, 'good.mjs', version],
    files: ['good.mjs', 'mcp.mjs'],
    ...(sandbox === undefined ? {} : { isolation: { sandbox } }),
  });

/** Resolves once somebody answers there. */
async function listening(url: string): Promise<void> {
  for (;;) {
    if (await fetch(url).catch(() => undefined)) return;
    await delay(20);
  }
}

/** The process driver, and a way to talk to programs in its sandbox. */
async function cagedRig() {
  const rig = await processRig();
  const files = stage(rig.state, ['caged.mjs', 'mcp.mjs']);
  const caged = async (name = 'tiny', isolation: Isolation = {}, secretFiles: readonly SecretFile[] = []) => {
    const wanted = workload({
      name,
      argv: ['node', 'caged.mjs'],
      run: { files, secretFiles, isolation: { sandbox: 'strict', ...isolation } },
    });
    const { id, exposed } = await rig.driver.ensure(wanted, 0, never());
    const connection: Connection = await connected(rig.driver, id);
    return { id, exposed, call: (tool: string, args = {}) => callTool(connection, tool, args) };
  };
  return { ...rig, caged, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

function stage({ paths }: StateDir, names: readonly string[]): RunSpec['files'] {
  return names.map((name) => {
    copyFileSync(join(PROGRAMS, name), join(paths.blobs, name));
    return { path: name, id: name, executable: false };
  });
}
