/** The flake, as Nix reads it: without the network, and with a stub (`test/fixtures/nix`) in place of nixpkgs. It builds nothing. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

interface Derivation {
  readonly system: string;
  readonly drvPath: string;
}

interface Outputs {
  readonly devShells: Readonly<Record<string, Derivation & { readonly packages: readonly string[] }>>;
  readonly packages: Readonly<
    Record<
      string,
      Derivation & {
        readonly pname: string;
        readonly version: string;
        readonly path: string;
        readonly program: string;
        readonly build: string;
        readonly install: string;
      }
    >
  >;
  readonly apps: Readonly<Record<string, { readonly type: string; readonly program: string }>>;
  readonly checks: Readonly<Record<string, Derivation & { readonly build: string }>>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FIXTURES = join(ROOT, 'test/fixtures/nix');
const SYSTEMS = ['aarch64-darwin', 'aarch64-linux', 'x86_64-darwin', 'x86_64-linux'];
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };

const installed = ['nix', 'nix-instantiate'].every((tool) => spawnSync(tool, ['--version']).status === 0);
const required = (process.env['SLIPWAY_REQUIRE'] ?? '').split(/[\s,]+/).includes('nix');

// Where Nix is required but missing, each test fails with what `nix` below says.
describe.skipIf(!installed && !required)(
  installed || required ? 'flake.nix' : 'flake.nix (skipped: Nix is not installed)',
  () => {
    let home = '';
    beforeAll(() => {
      home = realpathSync(mkdtempSync(join(tmpdir(), 'slipway-nix-')));
    });
    afterAll(() => {
      // What Nix put into its store is read-only.
      spawnSync('chmod', ['-R', 'u+w', home]);
      rmSync(home, { recursive: true, force: true });
    });

    test('parses', () => {
      expect(nix(home, 'nix-instantiate', ['--parse', join(ROOT, 'flake.nix')])).toContain('nixpkgs');
    });

    test('is a flake that Nix accepts', () => {
      const flake = join(home, 'flake');
      const stub = join(home, 'nixpkgs');
      for (const name of ['flake.nix', 'package.json', 'package-lock.json'])
        cpSync(join(ROOT, name), join(flake, name));
      for (const name of ['flake.nix', 'nixpkgs.nix']) cpSync(join(FIXTURES, name), join(stub, name));
      const features = ['--extra-experimental-features', 'nix-command flakes'];
      const inputs = ['--no-write-lock-file', '--override-input', 'nixpkgs', `path:${stub}`];
      nix(home, 'nix', [...features, 'flake', 'check', '--no-build', ...inputs, `path:${flake}`]);
      expect(existsSync(join(flake, 'flake.lock'))).toBe(false);
    });

    describe('outputs', () => {
      let outputs: Outputs;
      beforeAll(() => {
        // Restricted: it may read this repository and nothing else.
        const options = ['--store', 'dummy://', '--option', 'restrict-eval', 'true', '-I', ROOT];
        const evaluation = ['--eval', '--strict', '--json', join(FIXTURES, 'outputs.nix')];
        const json = nix(home, 'nix-instantiate', [...options, ...evaluation]);
        outputs = JSON.parse(json) as Outputs;
      });

      test('each is there for the four systems', () => {
        for (const kind of [outputs.devShells, outputs.packages, outputs.apps, outputs.checks])
          expect(Object.keys(kind).sort()).toEqual(SYSTEMS);
        for (const kind of [outputs.devShells, outputs.packages, outputs.checks])
          expect(Object.entries(kind).map(([system, derivation]) => [system, derivation.system])).toEqual(
            Object.keys(kind).map((system) => [system, system]),
          );
      });

      test('the shell has Node, git and age', () => {
        for (const shell of Object.values(outputs.devShells))
          expect(shell.packages).toEqual(['nodejs_24', 'git', 'age']);
      });

      test('the package is slipway, in the version of package.json, with Node and git on its PATH', () => {
        for (const item of Object.values(outputs.packages)) {
          expect(item).toMatchObject({ pname: 'slipway', version, program: 'slipway' });
          expect(item.drvPath.endsWith(`-slipway-${version}.drv`)).toBe(true);
          expect(item.install).toMatch(/--prefix PATH : \S+-nodejs_24\/bin:\S+-git\/bin\n/);
        }
      });

      test('the app is the program of the package', () => {
        for (const [system, app] of Object.entries(outputs.apps)) {
          expect(app.type).toBe('app');
          expect(app.program).toBe(`${outputs.packages[system]?.path}/bin/slipway`);
        }
      });

      test('the check is a derivation of its own', () => {
        for (const [system, check] of Object.entries(outputs.checks)) {
          expect(check.drvPath).toMatch(/-slipway-check\.drv$/);
          expect(check.drvPath).not.toBe(outputs.packages[system]?.drvPath);
        }
      });

      test('what the phases name in this repository exists', () => {
        const phases = [...Object.values(outputs.packages), ...Object.values(outputs.checks)].map((item) => item.build);
        const named = new Set(
          phases.flatMap((phase) => phase.match(/(?<=\s)(?:cli|examples|node_modules)\/\S+/g) ?? []),
        );
        expect([...named].sort()).toEqual(['cli/build.ts', 'examples/quickstart', 'node_modules/typescript/bin/tsc']);
        for (const path of named) expect(existsSync(join(ROOT, path)), path).toBe(true);
      });
    });
  },
);

/** Runs a Nix tool that can write only below `home`. @returns what it printed */
function nix(home: string, tool: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(tool, args, {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      TMPDIR: home,
      NIX_STORE_DIR: join(home, 'store'),
      NIX_STATE_DIR: join(home, 'state'),
      NIX_LOG_DIR: join(home, 'log'),
      NIX_CONF_DIR: join(home, 'conf'),
      NIX_REMOTE: 'local',
      // As root, Nix would look for build users, though nothing is built.
      NIX_CONFIG: 'build-users-group =\nflake-registry =\nsubstituters =',
    },
  });
  if (error) throw new Error(`SLIPWAY_REQUIRE asks for Nix, but ${tool} could not be run: ${error.message}`);
  expect(status, stderr).toBe(0);
  return stdout;
}
