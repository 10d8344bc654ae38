/** Another tarball under the same version: told by `slipway lock --check`, and not run where tools are held. With the real npm. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { locked } from '../../cli/write/locking.ts';
import { compile } from '../../reconciler/compile.ts';
import { toolsPlan } from '../../reconciler/pins/tools-plan.ts';
import type { Lock } from '../../schemas/lock/lock.ts';
import { desired, resource } from '../helpers/config.ts';
import { packageRegistry, type PackageRegistry } from '../helpers/packages.ts';
import { tempDir } from '../helpers/temp.ts';
import { processRig } from '../helpers/process-driver.ts';

const signal = (): AbortSignal => AbortSignal.timeout(120_000);
const PROGRAM = { bin: { 'tiny-mail': 'main.js' } };
const before = process.env['npm_config_registry'];
let registry: PackageRegistry;
beforeAll(async () => {
  registry = await packageRegistry();
  process.env['npm_config_registry'] = registry.npm;
});
afterAll(async () => {
  if (before === undefined) delete process.env['npm_config_registry'];
  else process.env['npm_config_registry'] = before;
  delete process.env['npm_config_cache'];
  await registry[Symbol.asyncDispose]();
});

const workloadUnder = (toolDrift: string, lock: Lock | undefined) => {
  const spec = { package: { npm: 'tiny-mail', version: '1.0.0' }, toolDrift };
  const [workload] = compile({
    ...desired({ 'a.yaml': resource('Server', 'mail', spec) }),
    ...(lock ? { lock } : {}),
  }).workloads;
  if (!workload) throw new Error('there is none');
  return workload;
};

test('fails the check, is refused with block, and told with warn', async () => {
  const lines: string[] = [];
  // npm remembers what a registry said.
  using caches = tempDir();
  process.env['npm_config_cache'] = caches.at('first');
  await using rig = await processRig((level, message) => lines.push(`${level} ${message}`));
  const artifactOf = async () => rig.driver.artifact?.(workloadUnder('off', undefined), signal());
  const lockWith = async (was: Lock | undefined) => {
    const artifact = await artifactOf();
    const offers = [{ server: 'mail', tools: [], ...(artifact ? { artifact } : {}) }];
    return (await locked({ before: was, offers, names: [], isThere: () => true })).lock;
  };
  const install = (toolDrift: string, lock: Lock | undefined) =>
    rig.driver.ensure(workloadUnder(toolDrift, lock), 0, signal());

  registry.addNpm('tiny-mail', '1.0.0', PROGRAM, { 'main.js': '#!/usr/bin/env node\n' });
  const { id } = await install('off', undefined);
  const lock = await lockWith(undefined);
  const integrity = expect.stringMatching(/^sha512-/) as string;
  expect(lock.servers['mail']?.artifact).toEqual({ package: 'npm:tiny-mail@1.0.0', integrity });
  await rig.driver.remove(id, signal());
  await rig.driver.remove((await install('block', lock)).id, signal());

  // The same version, and another program in it.
  registry.addNpm('tiny-mail', '1.0.0', PROGRAM, { 'main.js': '#!/usr/bin/env node\n// And a copy to us.\n' });
  process.env['npm_config_cache'] = caches.at('second');
  rmSync(join(rig.state.paths.packages, 'npm'), { recursive: true });
  await expect(install('block', lock)).rejects.toMatchObject({
    code: 'install-failed',
    message: expect.stringContaining('is not the package that slipway.lock.yaml accepts') as string,
  });
  expect(await rig.driver.list(signal())).toEqual([]);
  await install('warn', lock);
  expect(lines.filter((line) => line.startsWith('warn npm:tiny-mail@1.0.0 is not the package'))).toHaveLength(1);

  const now = await lockWith(lock);
  const [was, is] = [lock, now].map((one) => `npm:tiny-mail@1.0.0 ${one.servers['mail']?.artifact?.integrity}`);
  expect(was).not.toBe(is);
  expect(toolsPlan({ lock, routes: {} }, { lock: now, routes: {} })?.artifacts).toEqual([
    { server: 'mail', before: was, after: is },
  ]);
});
