/**
 * `npm run conformance`: the official suite's scored server scenarios against servers of our own, directly and through
 * the gateway: over HTTP and stdio, alone and beside another server, in the suite's own era and across eras. Through the
 * gateway must be as good as direct. Then its client scenarios, where the gateway is the client.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { GATEWAY, helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { nameMap } from './name-map.ts';
import { report, type Outcome, type Outcomes } from './report.ts';

const HERE = import.meta.dirname;
const SUITE = join(HERE, 'node_modules/@modelcontextprotocol/conformance');
const REVISIONS = ['2025-11-25', '2026-07-28'] as const;
const FIXTURES = { '2025-11-25': join(HERE, 'fixture.ts'), '2026-07-28': join(HERE, 'fixture-modern.ts') } as const;

type Revision = (typeof REVISIONS)[number];

/** By the part that is to be proved. */
interface Required {
  readonly server: readonly string[];
  readonly client: readonly string[];
  readonly not_scored: readonly { readonly scenario: string; readonly leg: string; readonly reason: string }[];
}

/** Not scored only because the suite's own server cannot pass them. */
function pending({ not_scored: others }: Required): string[] {
  return others.flatMap(({ scenario, leg, reason }) => (leg === 'server' && reason === 'pending' ? [scenario] : []));
}

install();
const baseline = (parse(readFileSync(join(HERE, 'baseline.yml'), 'utf8')) ?? {}) as Record<string, never>;
let good = true;
for (const [revision, outcomes] of await runs()) {
  const required = parse(readFileSync(join(SUITE, `requirements/${revision}.yaml`), 'utf8')) as Required;
  const known = baseline[revision] ?? {};
  const tables = [
    { title: 'scored scenarios', scored: required.server, outcomes },
    { title: 'scenarios pending in the suite', scored: pending(required), outcomes },
    {
      title: 'the gateway as client',
      scored: required.client,
      outcomes: new Map([['as client', await clientRuns(required.client, revision)]]),
    },
  ];
  for (const { title, ...table } of tables)
    good = report({ title: `MCP ${revision}, ${title}`, ...table, baseline: known }) && good;
}
process.exitCode = good ? 0 : 1;

/** A suite of another version would test something else, so what is installed is checked, not only that it is. */
function install(): void {
  const wanted = readJson(join(HERE, 'package.json'))['dependencies'] as Record<string, string>;
  const manifest = join(SUITE, 'package.json');
  if (existsSync(manifest) && readJson(manifest)['version'] === Object.values(wanted)[0]) return;
  console.error('Installing the conformance suite.');
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status } = spawnSync('npm', args, { cwd: HERE, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('The conformance suite could not be installed, so nothing was proved.');
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
}

/** By revision of the suite, then by the way to the server. */
async function runs(): Promise<ReadonlyMap<Revision, ReadonlyMap<string, Outcomes>>> {
  await using desk = new Desk();
  const remotes: ChildProcess[] = [];
  try {
    const direct = {} as Record<Revision, string>;
    for (const revision of REVISIONS) direct[revision] = await serve(FIXTURES[revision], remotes);
    desk.push({
      'gateway.yaml': GATEWAY,
      'hello.mjs': HELLO_PROGRAM,
      'hello.yaml': helloServer('hello'),
      'old-web.yaml': server('old-web', { url: direct['2025-11-25'], privateNetwork: true }),
      'old-local.yaml': server('old-local', { command: [process.execPath, FIXTURES['2025-11-25']] }),
      'new-web.yaml': server('new-web', { url: direct['2026-07-28'], privateNetwork: true }),
      'new-local.yaml': server('new-local', { command: [process.execPath, FIXTURES['2026-07-28']] }),
      'old.yaml': project('old', ['hello', 'old-local']),
      'new.yaml': project('new', ['hello', 'new-local']),
    });
    const gateway = await (await desk.up()).serving;
    await using old = await nameMap(new URL(`${gateway}/projects/old/mcp`), 'old-local__');
    await using modern = await nameMap(new URL(`${gateway}/projects/new/mcp`), 'new-local__');
    const through = (name: string): string => `${gateway}/servers/${name}/mcp`;
    const targets: Record<Revision, Record<string, string>> = {
      '2025-11-25': {
        direct: direct['2025-11-25'],
        'to HTTP': through('old-web'),
        'to stdio': through('old-local'),
        'of two': old.url,
        'to 2026 HTTP': through('new-web'),
        'to 2026 stdio': through('new-local'),
      },
      '2026-07-28': {
        direct: direct['2026-07-28'],
        'to HTTP': through('new-web'),
        'to stdio': through('new-local'),
        'of two': modern.url,
        'to 2025 HTTP': through('old-web'),
        'to 2025 stdio': through('old-local'),
      },
    };
    const all = new Map<Revision, Map<string, Outcomes>>();
    for (const revision of REVISIONS) {
      const outcomes = new Map<string, Outcomes>();
      for (const [name, url] of Object.entries(targets[revision])) outcomes.set(name, await suite(url, revision));
      all.set(revision, outcomes);
    }
    return all;
  } finally {
    for (const remote of remotes) remote.kill();
  }
}

async function serve(fixture: string, remotes: ChildProcess[]): Promise<string> {
  const remote = spawn(process.execPath, [fixture, '--http'], { stdio: ['ignore', 'pipe', 'inherit'] });
  remotes.push(remote);
  const [chunk] = (await once(remote.stdout, 'data')) as [Buffer];
  return chunk.toString().trim();
}

function server(name: string, spec: object): string {
  return resource('Server', name, spec);
}

function project(name: string, servers: readonly string[]): string {
  return resource('Project', name, { servers });
}

function resource(kind: string, name: string, spec: object): string {
  return JSON.stringify({ apiVersion: 'slipway/v1', kind, metadata: { name }, spec });
}

/** Runs the suite in a process of its own and reads the summary at the end of what it prints. */
async function suite(url: string, revision: Revision): Promise<Outcomes> {
  const args = [join(SUITE, 'dist/index.js'), 'server', '--url', url, '--requirements', revision];
  const text = await printed(args);
  const summary = text.slice(text.lastIndexOf('=== SUMMARY ==='));
  const rows = summary.matchAll(/^\W* ?([\w-]+): (\d+) passed, (\d+) failed/gm);
  return new Map(
    [...rows].map(([, name, passed, failed]) => [String(name), { passed: Number(passed), failed: Number(failed) }]),
  );
}

/** Client scenarios run one by one: each starts a server of its own and the gateway in front of it. */
async function clientRuns(scenarios: readonly string[], revision: Revision): Promise<Outcomes> {
  const outcomes = new Map<string, Outcome>();
  const command = `${process.execPath} ${join(HERE, 'client.ts')}`;
  for (const scenario of scenarios) {
    const which = ['--scenario', scenario, '--spec-version', revision];
    const text = await printed([join(SUITE, 'dist/index.js'), 'client', '--command', command, ...which], true);
    const [, passed, failed] = /^Passed: (\d+)\/\d+, (\d+) failed/m.exec(text) ?? [];
    if (passed !== undefined) outcomes.set(scenario, { passed: Number(passed), failed: Number(failed) });
  }
  return outcomes;
}

/** @param both what goes to stderr too, instead of showing it */
async function printed(args: readonly string[], both = false): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', both ? 'pipe' : 'inherit'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(child, 'close');
  return text;
}
