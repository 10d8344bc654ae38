/** Packages in containers: baked into an image once, by exact version, and started without any network. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, afterEach, expect, test, vi } from 'vitest';
import type { Engine } from '../../../../reconciler/drivers/docker/engine.ts';
import { specHash, type Program, type Workload } from '../../../../reconciler/workload.ts';
import type { SlipwayError } from '../../../../schemas/errors.ts';
import { dockerRig } from '../../../helpers/docker-driver.ts';
import { describeEngine } from '../../../helpers/engine.ts';
import { containerWorkload, imagesRig } from '../../../helpers/images-rig.ts';
import { busyboxImage, npmImage, pythonImage } from '../../../helpers/images.ts';
import { callTool } from '../../../helpers/mcp.ts';
import { packageRegistry, type PackageRegistry } from '../../../helpers/packages.ts';
import { printed } from '../../../helpers/printed.ts';
import { connected } from '../../../helpers/process-driver.ts';

const signal = AbortSignal.timeout(600_000);
const failure = (work: Promise<unknown>): Promise<SlipwayError> =>
  work.then(
    () => expect.fail('it succeeded'),
    (error: SlipwayError) => error,
  );
const npm = (name: string, version: string, bin?: string): Workload => packaged('npm', name, version, bin);
const pypi = (name: string, version: string, bin?: string): Workload => packaged('pypi', name, version, bin);

function packaged(ecosystem: 'npm' | 'pypi', name: string, version: string, bin?: string): Workload {
  const program: Program = { type: 'package', ecosystem, name, version, args: [], ...(bin ? { bin } : {}) };
  return containerWorkload(program);
}

/** With arguments for its program, and a hash that fits. */
function inContainer(workload: Workload, args: readonly string[]): Workload {
  const run = { ...workload.run, program: { ...workload.run.program, args } as Program };
  return { ...workload, run, hash: specHash(run, 'docker') };
}

describeEngine('images for packages', (machine) => {
  const { docker } = machine;
  let engine: Engine;
  let registry: PackageRegistry;
  beforeAll(async () => {
    const runners = { npm: await npmImage(machine), pypi: await pythonImage(machine) };
    engine = { ...machine, runners };
    registry = await packageRegistry(machine);
    registry.addNpm('tiny-dependency', '2.0.0', { main: 'index.js' }, { 'index.js': 'module.exports = "dependency";' });
    registry.addNpm(
      '@acme/tiny-server',
      '1.2.3',
      {
        bin: { 'tiny-server': 'cli.mjs' },
        dependencies: { 'tiny-dependency': '2.0.0' },
        scripts: { postinstall: 'exit 1' },
      },
      {
        'cli.mjs': `#!/usr/bin/env node
import dependency from 'tiny-dependency';
console.log(JSON.stringify({ args: process.argv.slice(2), dependency, uid: process.getuid(), env: Object.keys(process.env).sort() }));`,
      },
    );
    registry.addNpm(
      'two-programs',
      '1.0.0',
      { bin: { one: 'one.js', other: 'other.js' } },
      {
        'one.js': 'console.log("one");', // Without a first line that names Node.
        'other.js': '#!/usr/bin/env node\nconsole.log("other");',
      },
    );
    registry.addPypi(
      'tiny_python',
      '1.0.0',
      { tiny_python: 'tiny:main', other: 'tiny:other' },
      {
        'tiny.py':
          'import sys, os\ndef main():\n    print("python", os.getuid(), *sys.argv[1:])\ndef other():\n    print("other")\n',
      },
    );
  });
  afterAll(() => registry?.[Symbol.asyncDispose]());
  beforeEach(() => {
    vi.stubEnv('npm_config_registry', registry.npm);
    vi.stubEnv('PIP_INDEX_URL', registry.pypi);
    vi.stubEnv('PIP_TRUSTED_HOST', registry.host);
    for (const name of ['PIP_EXTRA_INDEX_URL', 'HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'])
      vi.stubEnv(name, undefined);
  });
  afterEach(() => void vi.unstubAllEnvs());

  /** As the driver would run it: nobody, no network, nothing to write to. */
  const run = (Image: string, ...Cmd: string[]): Promise<string> =>
    printed(machine, {
      Image,
      Cmd,
      User: '65534:65534',
      HostConfig: { NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] },
    });
  /** All images that carry the owner's label, and those that no tag names. */
  const owned = async (owner: string): Promise<string[]> =>
    (await docker.listImages({ filters: { label: [`slipway.owner=${owner}`] } })).map(
      ({ RepoTags }) => RepoTags?.[0] ?? '',
    );

  test('an npm package: one image, with its dependencies, that runs without a network, a user or a writable file', async () => {
    await using rig = imagesRig(engine);
    const lines: string[] = [];
    const workload = npm('@acme/tiny-server', '1.2.3');
    const both = [1, 2].map(() => rig.images.ensure(engine, workload, { signal, output: (line) => lines.push(line) }));
    const [ready, other] = await Promise.all(both);
    expect(other).toEqual(ready);
    expect(ready?.reference).toMatch(/^slipway\/run-npm:[0-9a-f]{32}$/);
    expect(rig.logs.filter((line) => line.includes('building'))).toHaveLength(1);
    expect(lines.join('\n')).toContain('added 2 packages');
    expect(JSON.parse(await run(ready?.id ?? '', '--verbose', 'a b'))).toMatchObject({
      args: ['--verbose', 'a b'],
      dependency: 'dependency',
      uid: 65_534,
    });
    const asked = registry.asked.length;
    expect(await rig.again().ensure(engine, workload, { signal })).toEqual(ready);
    expect(registry.asked.length).toBe(asked);
  });

  test('the image carries its marks; the build leaves nothing else, and nobody learns where packages came from', async () => {
    await using rig = imagesRig(engine);
    vi.stubEnv('HTTP_PROXY', 'http://ada:open-sesame@127.0.0.1:9');
    vi.stubEnv('NO_PROXY', registry.host);
    vi.stubEnv('npm_config__authToken', 'npm-secret-token');
    const ready = await rig.images.ensure(engine, npm('two-programs', '1.0.0', 'one'), { signal });
    expect(await run(ready.id)).toBe('one');
    const info = await docker.getImage(ready.id).inspect();
    expect(info.Config.Labels).toMatchObject({
      'slipway.managed': 'true',
      'slipway.owner': rig.owner,
      'slipway.package': 'npm/two-programs@1.0.0',
    });
    expect(await owned(rig.owner)).toEqual([ready.reference]);
    const told = JSON.stringify([info, await docker.getImage(ready.id).history(), rig.logs]);
    for (const secret of ['open-sesame', 'npm-secret-token', registry.npm]) expect(told).not.toContain(secret);
    const nameless = await failure(rig.images.ensure(engine, npm('two-programs', '1.0.0'), { signal }));
    expect(nameless).toMatchObject({ code: 'image-build-failed', row: { next: 'fix' } });
    expect(nameless.message).toContain('two-programs@1.0.0 has no program two-programs: it has one, other.');
    expect(nameless.message).not.toContain('open-sesame');
  });

  test('a package is an MCP server like any other', async () => {
    const program = readFileSync(new URL('../../../fixtures/images/server/server.mjs', import.meta.url), 'utf8');
    registry.addNpm('mcp-server', '1.0.0', { bin: 'server.mjs' }, { 'server.mjs': `#!/usr/bin/env node\n${program}` });
    await using rig = await dockerRig(machine);
    const place = { name: 'here', runners: engine.runners };
    const workload = inContainer({ ...npm('mcp-server', '1.0.0'), engine: place }, ['version=v7']);
    const { id } = await rig.driver.ensure(workload, 0, signal);
    const connection = await connected(rig.driver, id);
    expect(await callTool(connection, 'version')).toBe('v7');
    expect(JSON.parse(await callTool(connection, 'whoami'))).toMatchObject({
      uid: 65_534,
      writable: ['/tmp', '/dev/shm'],
    });
    expect(await callTool(connection, 'connect', { host: registry.host, port: 80, ms: 500 })).not.toBe('connected');
  });

  test('a PyPI project', async () => {
    await using rig = imagesRig(engine);
    const ready = await rig.images.ensure(engine, pypi('tiny_python', '1.0.0'), { signal });
    expect(await run(ready.id, '--verbose')).toBe('python 65534 --verbose');
    const error = await failure(rig.images.ensure(engine, pypi('tiny_python', '1.0.0', 'third'), { signal }));
    expect(error).toMatchObject({ code: 'image-build-failed' });
    expect(error.message).toContain('tiny_python==1.0.0 has no program third: it has other, tiny_python.');
    expect(await owned(rig.owner)).toEqual([ready.reference]);
  });

  test('a package that does not exist is a matter for a person; a registry that is away is tried again', async () => {
    await using rig = imagesRig(engine);
    const missing = await failure(rig.images.ensure(engine, npm('@acme/nothing', '1.0.0'), { signal }));
    expect(missing).toMatchObject({ code: 'image-build-failed', row: { next: 'fix' } });
    expect(missing.message).toContain('npm error');
    vi.stubEnv('npm_config_registry', `http://${registry.host}:9/`);
    const away = await failure(rig.images.ensure(engine, npm('@acme/tiny-server', '1.2.3'), { signal }));
    expect(away).toMatchObject({ code: 'install-failed', row: { next: 'retry' } });
    expect(await owned(rig.owner)).toEqual([]);
    expect(await leftContainers(machine)).toEqual([]);
  });

  test('a base image that cannot be had, and one that has no npm', async () => {
    await using rig = imagesRig(engine);
    const without = { ...engine, runners: { npm: 'registry.invalid/node:24' } };
    expect(await failure(rig.images.ensure(without, npm('two-programs', '1.0.0'), { signal }))).toMatchObject({
      code: 'registry-unreachable',
    });
    const bare = { ...engine, runners: { npm: await busyboxImage(machine) } };
    const error = await failure(rig.images.ensure(bare, npm('two-programs', '1.0.0', 'one'), { signal }));
    expect(error).toMatchObject({ code: 'image-build-failed', row: { next: 'fix' } });
    expect(error.message).toContain('npm');
  });

  test('a build that nobody waits for any more is ended, and leaves nothing', async () => {
    await using rig = imagesRig(engine);
    const impatient = new AbortController();
    const began = Promise.withResolvers<void>();
    const output = (line: string): void => void (line.includes('npm') && began.resolve());
    const work = failure(
      rig.images.ensure(engine, npm('@acme/tiny-server', '1.2.3'), { signal: impatient.signal, output }),
    );
    await began.promise;
    impatient.abort(new Error('had enough'));
    expect((await work).message).toBe('had enough');
    await vi.waitFor(async () => expect(await leftContainers(machine)).toEqual([]), { timeout: 20_000, interval: 50 });
    // What the engine had begun to build when it heard of the end goes with the next collection.
    const collector = rig.again({ graceMs: 0 });
    const collected = async (): Promise<void> => {
      await collector.collect(engine, [], signal);
      expect(await owned(rig.owner)).toEqual([]);
    };
    await vi.waitFor(collected, { timeout: 20_000, interval: 100 });
  });
});

/** Containers of builds: their images have no names. */
async function leftContainers({ docker }: Engine): Promise<string[]> {
  const all = await docker.listContainers({ all: true });
  return all.filter(({ Command }) => Command.includes('npm install')).map(({ Id }) => Id);
}
