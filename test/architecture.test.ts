/** The arrows between rooms, no cycles, and the size budget: structure decays where only people watch. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { KINDS } from '../schemas/kinds/index.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ROOMS = ['schemas', 'reconciler', 'gateway', 'cli'] as const;

/** What hands work to threads, and the program of one: the only ones in the gateway that may. */
const WORKERS: readonly string[] = ['gateway/workers.ts', 'gateway/worker-main.ts'];

interface Import {
  readonly target: string;
  /** False for `import type`, which is gone at run time. */
  readonly value: boolean;
}

interface File {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
}

const files = ROOMS.flatMap((room) => readRoom(room));
const byPath = new Map(files.map((file) => [file.path, file]));

describe('arrows', () => {
  const allowed: Record<string, readonly RegExp[]> = {
    schemas: [/^schemas\//, /^node:(crypto|net|string_decoder)$/, /^(zod|yaml|canonicalize)$/],
    reconciler: [
      /^(schemas|reconciler)\//,
      /^node:/,
      /^(zod|yaml|canonicalize|fast-json-patch|croner|age-encryption|gitea-js|dockerode$|(@octokit|@gitbeaker)\/rest$|@modelcontextprotocol\/sdk\/)/,
    ],
    gateway: [
      /^(schemas|gateway)\//,
      /^node:(?!child_process|cluster|worker_threads)/,
      /^ajv(\/dist\/2020\.js)?$/,
      /^prom-client$/,
      /^@opentelemetry\//,
      /^gpt-tokenizer\/encoding\/o200k_base$/,
      /^jose$/,
      /^minisearch$/,
      /^(ai|@ai-sdk\/.+|lru-cache|@toon-format\/toon|quickjs-emscripten-core|@jitl\/quickjs-singlefile-mjs-release-sync)$/,
      /^oauth4webapi$/,
    ],
    cli: [
      /^(schemas|cli)\//,
      /^(reconciler|gateway)\/index\.ts$/,
      /^package\.json$/,
      /^node:/,
      /^(commander|yaml|zod|ink|react|age-encryption|fast-json-patch|jsonc-parser|smol-toml|oauth4webapi|simple-git|rolldown|@modelcontextprotocol\/sdk\/)/,
    ],
  };
  for (const room of ROOMS) {
    test(`${room} imports only what it may`, () => {
      const wrong = files
        .filter((file) => file.path.startsWith(`${room}/`))
        .flatMap((file) =>
          file.imports
            .filter(({ target }) => !allowed[room]?.some((rule) => rule.test(target)))
            .filter(({ target }) => !(target === 'node:worker_threads' && WORKERS.includes(file.path)))
            .map(({ target }) => `${file.path} → ${target}`),
        );
      expect(wrong).toEqual([]);
    });
  }

  test('the gateway cannot start anything', () => {
    const gateway = files.filter((file) => file.path.startsWith('gateway/'));
    expect(gateway.length).toBeGreaterThan(10);
    expect(gateway.filter((file) => /\bspawn\(|\bexecFile?\(|process\.binding/.test(read(file.path)))).toEqual([]);
  });

  test('node:http is had without what comes along with it, and nothing else past the imports', () => {
    const asModule = files.filter(({ path }) => /^import (?!type\b)[^;]*'node:http'/m.test(read(path)));
    expect(asModule.map(({ path }) => path)).toEqual([]);
    const past = files.filter(({ path }) => /getBuiltinModule/.test(read(path)));
    expect(past.map(({ path }) => path)).toEqual(['schemas/node-http.ts']);
  });

  test('planning and compiling know no driver', () => {
    for (const path of ['reconciler/plan.ts', 'reconciler/compile.ts', 'reconciler/diff.ts']) {
      const drivers = byPath.get(path)?.imports.filter(({ target }) => target.startsWith('reconciler/drivers/'));
      expect(
        drivers?.filter(({ target, value }) => value || target !== 'reconciler/drivers/driver.ts'),
        path,
      ).toEqual([]);
    }
  });

  test('kinds and drivers never import each other', () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .filter(({ target }) => areSiblings(file.path, target))
        .map(({ target }) => `${file.path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('shared code never asks for a kind or a driver by name', () => {
    const names = [...Object.keys(KINDS), ...driverNames()].join('|');
    const asks = new RegExp(`(?:[!=]==?|\\bcase) ['"\`](?:${names})['"\`]|['"\`](?:${names})['"\`] [!=]==?`);
    expect(asks.test("if (resource.kind === 'RoleBinding')")).toBe(true);
    expect(asks.test("case 'docker':")).toBe(true);
    const shared = files.filter((file) => !/\/(kinds|drivers)\//.test(file.path));
    expect(shared.filter((file) => asks.test(read(file.path))).map((file) => file.path)).toEqual([]);
  });
});

test('no file imports itself in a circle', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) return void circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    if (done.has(path)) return;
    for (const { target, value } of byPath.get(path)?.imports ?? [])
      if (value && byPath.has(target)) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const file of files) walk(file.path, []);
  expect(circles).toEqual([]);
});

test('no file is longer than 300 lines', () => {
  expect(files.length).toBeGreaterThan(80);
  expect(files.filter((file) => file.lines > 300).map((file) => `${file.path}: ${file.lines}`)).toEqual([]);
});

test('the top level is what it should be', () => {
  const listed = readdirSync(ROOT).filter(
    (name) => !name.startsWith('.') && name !== 'node_modules' && name !== 'dist',
  );
  const documents = ['AGENTS.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md'];
  const rooms = ['cli', 'docs', 'examples', 'gateway', 'packaging', 'reconciler', 'schemas', 'test'];
  const settings = ['flake.nix', 'package-lock.json', 'package.json', 'tsconfig.json'];
  const expected = [...documents, ...rooms, ...settings];
  expect(listed.sort()).toEqual(expected.sort());
});

test('kinds have the same names in both rooms', () => {
  const names = (room: string): string[] =>
    readdirSync(join(ROOT, room, 'kinds'))
      .filter((name) => !['index.ts', 'kind.ts', 'fields.ts', 'fields'].includes(name))
      .sort();
  expect(names('reconciler')).toEqual(names('schemas'));
});

/** As each driver says it is called, in the file that is named after the role it has. */
function driverNames(): string[] {
  const found = files
    .filter(({ path }) => /^reconciler\/drivers\/(\w+\/driver|memory)\.ts$/.test(path))
    .map(({ path }) => /^ +(?:readonly )?name(?::| =) '(\w+)'/m.exec(read(path))?.[1]);
  expect(found).not.toContain(undefined);
  return found as string[];
}

function readRoom(room: string): File[] {
  return readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = join(room, name);
      const text = read(path);
      return { path, lines: text.split('\n').length - 1, imports: importsOf(path, text) };
    });
}

function importsOf(path: string, text: string): Import[] {
  const found = text.matchAll(/^(?:import|export) (type )?(?:[^'";]*? from )?'([^']+)'/gms);
  const dynamic = text.matchAll(/import\('([^']+)'\)/g);
  return [
    ...[...found].map(([, type, target]) => ({ target: resolveFrom(path, target ?? ''), value: type === undefined })),
    // A dynamic import is resolved when it is called, so it closes no circle at load time.
    ...[...dynamic].map(([, target]) => ({ target: resolveFrom(path, target ?? ''), value: false })),
  ];
}

function resolveFrom(path: string, target: string): string {
  return target.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(path), target)) : target;
}

function areSiblings(from: string, to: string): boolean {
  const kind = /^(schemas|reconciler)\/kinds\/(\w+)\.ts$/;
  const a = kind.exec(from);
  const b = kind.exec(to);
  const common = ['index', 'kind', 'fields'];
  if (a && b && a[1] === b[1]) return ![a[2], b[2]].some((name) => common.includes(name ?? ''));
  const driver = /^reconciler\/drivers\/(\w+)\//;
  const c = driver.exec(from)?.[1];
  const d = driver.exec(to)?.[1];
  return c !== undefined && d !== undefined && c !== d;
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
