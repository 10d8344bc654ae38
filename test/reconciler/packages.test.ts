/** Published packages: installed once by exact version, run from there, and told about when they cannot be had. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { specHash, type Program, type Workload } from '../../reconciler/workload.ts';
import { callTool } from '../helpers/mcp.ts';
import { connected, processRig } from '../helpers/process-driver.ts';
import { program } from '../helpers/processes.ts';
import { tempDir } from '../helpers/temp.ts';
import { workload } from '../helpers/workload.ts';

const never = (): AbortSignal => new AbortController().signal;
const PATH = process.env['PATH'] ?? '';

/** Whether CI demands the tool, so that its absence fails rather than skips. */
const isRequired = (tool: string): boolean => (process.env['SLIPWAY_REQUIRE'] ?? '').split(/[\s,]+/).includes(tool);

afterEach(() => {
  process.env['PATH'] = PATH;
});

function packageWorkload(wanted: Program): Workload {
  const plain = workload({ argv: ['unused'], rollout: { timeoutMs: 60_000 } });
  const run = { ...plain.run, program: wanted };
  return { ...plain, run, hash: specHash(run, plain.driver) };
}

const npm = (name: string, version: string): Workload =>
  packageWorkload({ type: 'package', ecosystem: 'npm', name, version, args: [] });
const pypi = (name: string, version: string): Workload =>
  packageWorkload({ type: 'package', ecosystem: 'pypi', name, version, args: ['--verbose'] });

test('an npm package is installed once for all its instances, with its lock file kept, and no script of it runs', async () => {
  const lines: string[] = [];
  await using rig = await processRig((_level, message) => lines.push(message));
  const everything = npm('@modelcontextprotocol/server-everything', '2026.8.31');
  const [one, two] = await Promise.all([0, 1].map((index) => rig.driver.ensure(everything, index, never())));
  expect(lines.filter((line) => line.startsWith('installing'))).toHaveLength(1);
  expect(await callTool(await connected(rig.driver, one?.id ?? ''), 'echo', { message: 'hi' })).toBe('Echo: hi');
  expect(await callTool(await connected(rig.driver, two?.id ?? ''), 'echo', { message: 'ho' })).toBe('Echo: ho');
  const folder = join(rig.state.paths.packages, 'npm');
  expect(readdirSync(folder)).toEqual(['@modelcontextprotocol+server-everything@2026.8.31']);
  const lock = JSON.parse(
    readFileSync(join(folder, '@modelcontextprotocol+server-everything@2026.8.31/package-lock.json'), 'utf8'),
  ) as { packages: Record<string, { version?: string; integrity?: string }> };
  expect(lock.packages['node_modules/@modelcontextprotocol/server-everything']).toMatchObject({
    version: '2026.8.31',
    integrity: expect.stringMatching(/^sha512-/) as string,
  });
});

const bwrap = spawnSync('bwrap', ['--version']).status === 0 || isRequired('bwrap');

test.skipIf(!bwrap)(
  'a package runs in the sandbox: what it needs of itself is there, and cannot be written to',
  async () => {
    await using rig = await processRig();
    const { run, ...plain } = npm('@modelcontextprotocol/server-everything', '2026.8.31');
    const caged = { ...run, isolation: { sandbox: 'strict' } } as const;
    const { id, exposed } = await rig.driver.ensure({ ...plain, run: caged }, 0, never());
    expect(exposed).toEqual([]);
    expect(await callTool(await connected(rig.driver, id), 'echo', { message: 'hi' })).toBe('Echo: hi');
    const script = "require('node:fs').writeFileSync(process.argv[1] + '/x', '')";
    const folder = join(rig.state.paths.packages, 'npm');
    const [home = ''] = readdirSync(folder);
    const result = await rig.driver.exec?.(id, ['node', '-e', script, join(folder, home)], never());
    expect(result?.code).not.toBe(0);
    expect(result?.output).toMatch(/EROFS|EACCES/);
  },
);

test('a package that does not exist is told about with npm’s own words, and leaves nothing half installed', async () => {
  await using rig = await processRig();
  const missing = npm('@modelcontextprotocol/there-is-no-such-server', '1.0.0');
  await expect(rig.driver.ensure(missing, 0, never())).rejects.toMatchObject({
    code: 'install-failed',
    message: expect.stringContaining('there-is-no-such-server') as string,
  });
  expect(readdirSync(join(rig.state.paths.packages, 'npm'))).toEqual([]);
  expect(await rig.driver.list(never())).toEqual([]);
});

test('without uvx a PyPI package is a clear condition', async () => {
  await using rig = await processRig();
  using empty = tempDir();
  process.env['PATH'] = empty.at('');
  await expect(rig.driver.ensure(pypi('mcp-server-fetch', '2026.1.14'), 0, never())).rejects.toMatchObject({
    code: 'tool-missing',
  });
});

test('with uvx a PyPI package runs by exact version', async () => {
  await using rig = await processRig();
  using tools = tempDir();
  // What stands in for uvx notes how it was called and becomes a server, as uvx would.
  const called = tools.at('called');
  const [node = '', script = ''] = program('good');
  writeFileSync(tools.at('uvx'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${called}'\nexec '${node}' '${script}'\n`, {
    mode: 0o755,
  });
  process.env['PATH'] = `${tools.at('')}${delimiter}${PATH}`;
  const { id } = await rig.driver.ensure(pypi('mcp-server-fetch', '2026.1.14'), 0, never());
  expect(await callTool(await connected(rig.driver, id), 'echo', { message: 'hi' })).toContain('hi');
  expect(existsSync(called) && readFileSync(called, 'utf8').split('\n').slice(0, 4)).toEqual([
    '--from',
    'mcp-server-fetch==2026.1.14',
    'mcp-server-fetch',
    '--verbose',
  ]);
});
