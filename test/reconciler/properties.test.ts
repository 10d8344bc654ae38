/** What must hold whatever the config says. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { observe } from '../../reconciler/world.ts';
import { compile } from '../../reconciler/compile.ts';
import { load } from '../../reconciler/load.ts';
import { memoryParseCache } from '../../reconciler/parse-cache.ts';
import { plan } from '../../reconciler/plan.ts';
import { directorySource } from '../../reconciler/source/directory.ts';
import { hasChanges, type Plan } from '../../schemas/plan.ts';
import { memoryServer, resource, server } from '../helpers/config.ts';
import { git, writeFiles } from '../helpers/repo.ts';
import { Rig } from '../helpers/rig.ts';
import { tempDir } from '../helpers/temp.ts';

const never = (): AbortSignal => new AbortController().signal;

interface ServerModel {
  readonly version: string;
  readonly replicas: number;
  readonly enabled: boolean;
  readonly remote: boolean;
  readonly strategy: 'rollingUpdate' | 'recreate';
  readonly lifecycle: 'onDemand' | 'always';
  readonly secret: boolean;
  readonly description?: string | undefined;
}

interface ConfigModel {
  readonly servers: Readonly<Record<string, ServerModel>>;
  readonly projects: Readonly<Record<string, readonly string[]>>;
  readonly tokens: readonly string[];
}

const NAMES = ['alpha', 'beta', 'gamma', 'delta', 'epsilon'];

const serverModel: fc.Arbitrary<ServerModel> = fc.record(
  {
    version: fc.constantFrom('v1', 'v2', 'v3'),
    replicas: fc.integer({ min: 1, max: 3 }),
    enabled: fc.boolean(),
    remote: fc.boolean(),
    strategy: fc.constantFrom('rollingUpdate', 'recreate'),
    lifecycle: fc.constantFrom('onDemand', 'always'),
    secret: fc.boolean(),
    description: fc.string({ maxLength: 20 }),
  },
  { requiredKeys: ['version', 'replicas', 'enabled', 'remote', 'strategy', 'lifecycle', 'secret'] },
);

const config: fc.Arbitrary<ConfigModel> = fc.record({
  servers: fc.dictionary(fc.constantFrom(...NAMES), serverModel, { maxKeys: 5 }),
  projects: fc.dictionary(fc.constantFrom('dev', 'ops'), fc.subarray(NAMES), { maxKeys: 2 }),
  tokens: fc.subarray(['ci', 'ada', 'grace']),
});

function filesOf({ servers, projects, tokens }: ConfigModel): Record<string, string> {
  const files: Record<string, string> = {
    'gateway.yaml': resource('Gateway', 'gateway', {}),
    'policy.yaml': resource('Policy', 'any', { guards: { massDelete: { count: 100 } } }),
    'secret.yaml': resource('Secret', 'keys', { data: { api: { env: 'HOME' } } }),
  };
  for (const [name, { version, remote, strategy, secret, ...spec }] of Object.entries(servers)) {
    const env = secret ? [{ name: 'API', valueFrom: { secretRef: { name: 'keys', key: 'api' } } }] : [];
    const { enabled, description } = spec;
    const around = { enabled, ...(description === undefined ? {} : { description }) };
    files[`servers/${name}.yaml`] = remote
      ? resource('Server', name, { url: `https://example.com/${version}`, ...around })
      : memoryServer(name, version, { ...spec, env, rollout: { strategy, drain: '0s' } });
  }
  for (const [name, wanted] of Object.entries(projects))
    files[`projects/${name}.yaml`] = resource('Project', name, { servers: wanted.filter((each) => each in servers) });
  for (const [index, name] of tokens.entries())
    files[`tokens/${name}.yaml`] = resource('Token', name, { sha256: String(index).repeat(64) });
  return files;
}

/** Replaces the folder's content. */
function write(dir: string, model: ConfigModel): void {
  const gone = readdirSync(dir).map((name) => [name, null] as const);
  writeFiles(dir, Object.fromEntries(gone));
  writeFiles(dir, filesOf(model));
}

async function planNow(rig: Rig, dir: string): Promise<Plan> {
  const source = directorySource(dir);
  const { id } = await source.fetch(never());
  const loaded = await load(source, id, memoryParseCache(), never());
  expect(loaded.issues).toEqual([]);
  return plan(compile(loaded), await observe(rig.reconciler.world, never()));
}

test('after a plan is applied, there is nothing left to plan', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(config, { minLength: 2, maxLength: 4 }), async (models) => {
      using dir = tempDir();
      await using rig = await Rig.make({ source: directorySource(dir.path) });
      for (const model of models) {
        write(dir.path, model);
        const before = await planNow(rig, dir.path);
        const snapshots = rig.snapshots.length;
        const { changed, outcomes } = await rig.reconciler.sync();
        expect(outcomes.filter((outcome) => outcome.error)).toEqual([]);
        expect(hasChanges(await planNow(rig, dir.path))).toBe(false);
        // Nothing was done that was not planned, and what was planned was done.
        if (changed) expect(hasChanges(before)).toBe(true);
        if (hasChanges(before)) expect(rig.snapshots.length).toBeGreaterThan(snapshots);
        await expectServed(rig, model);
      }
    }),
    { numRuns: 30 },
  );
});

/** Every server that is wanted here answers; every other is neither served nor running. */
async function expectServed(rig: Rig, model: ConfigModel): Promise<void> {
  const wanted = Object.entries(model.servers).filter(([, each]) => each.enabled);
  expect(Object.keys(rig.snapshot.servers).sort()).toEqual(wanted.map(([name]) => name).sort());
  const running = await rig.memory.list(never());
  const here = wanted.filter(([, each]) => !each.remote);
  expect(running).toHaveLength(here.reduce((sum, [, each]) => sum + each.replicas, 0));
  for (const [name, { replicas }] of here) {
    expect(rig.snapshot.servers[name]?.endpoints).toHaveLength(replicas);
    expect(await rig.call(name, 'echo', { message: 'hi' })).toContain(`slipway-${name}-`);
  }
}

test('what changed behind our back is planned, and mended', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(config, fc.nat(), async (model, which) => {
      using dir = tempDir();
      await using rig = await Rig.make({ source: directorySource(dir.path) });
      write(dir.path, model);
      await rig.reconciler.sync();
      const running = await rig.memory.list(never());
      fc.pre(running.length > 0);
      rig.memory.kill(running[which % running.length]?.id ?? '');
      expect((await planNow(rig, dir.path)).drift).toHaveLength(1);
      await rig.reconciler.sync();
      expect(hasChanges(await planNow(rig, dir.path))).toBe(false);
      await expectServed(rig, model);
    }),
    { numRuns: 15 },
  );
});

/** Everything that anybody could read afterwards: the whole state directory, the audit branch, what was said and logged. */
async function allOutput(rig: Rig): Promise<string> {
  await rig.reconciler.world.recorder.flush();
  const { root } = rig.state;
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name));
  return [
    ...files.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, 'latin1')),
    git(rig.repo.remote, 'log', '--patch', 'slipway/audit'),
    JSON.stringify(rig.snapshots),
    JSON.stringify(rig.statuses),
    JSON.stringify(await rig.reconciler.status()),
    JSON.stringify(rig.reconciler.world.applied),
    rig.logs.join('\n'),
  ].join('\n');
}

test('no secret value is in any output, though the server got it', { timeout: 120_000 }, async () => {
  const secret = fc.string({
    minLength: 8,
    maxLength: 40,
    unit: fc.constantFrom(...'abcXYZ019_-+/=.~!@#%^&*(){}:;<>?| '),
  });
  await fc.assert(
    fc.asyncProperty(secret, async (text) => {
      const value = `s3${text}x9`;
      process.env['SLIPWAY_TEST_PROPERTY'] = value;
      await using rig = await Rig.make({ record: true });
      const env = [{ name: 'API_KEY', valueFrom: { secretRef: { name: 'keys', key: 'api' } } }];
      const files = {
        's.yaml': resource('Secret', 'keys', { data: { api: { env: 'SLIPWAY_TEST_PROPERTY' } } }),
        'a.yaml': server('mirror', 'mirror', [], { env }),
        'b.yaml': server('refuses', 'refuses', [], { env }),
        'c.yaml': server('regrets', 'refuses', ['late'], {
          env,
          probes: { readiness: { call: { tool: 'check' }, failures: 1 } },
        }),
      };
      await rig.apply(files);
      const seen = JSON.parse(await rig.call('mirror', 'env')) as Record<string, string>;
      expect(seen['API_KEY']).toBe(value);
      await rig.apply({ 'a.yaml': server('mirror', 'mirror', ['2'], { env }) });
      const { servers } = await rig.reconciler.status();
      expect(servers.map((each) => each.name)).toEqual(['mirror', 'refuses', 'regrets']);
      const output = await allOutput(rig);
      expect(output).toContain('API_KEY=***');
      expect(output.includes(value)).toBe(false);
      expect(output.includes(JSON.stringify(value).slice(1, -1))).toBe(false);
    }),
    { numRuns: 6 },
  );
});
