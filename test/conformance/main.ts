/**
 * `npm run conformance`: the official suite's scored server scenarios against a server of our own, directly and through
 * the gateway, which reaches it over HTTP and over stdio. Through the gateway must be as good as direct.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { GATEWAY } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';

const HERE = import.meta.dirname;
const SUITE = join(HERE, 'node_modules/@modelcontextprotocol/conformance');
const FIXTURE = join(HERE, 'fixture.ts');
const REVISION = '2025-11-25';

interface Outcome {
  readonly passed: number;
  readonly failed: number;
}

/** By scenario. */
type Outcomes = ReadonlyMap<string, Outcome>;

install();
const scored = (parse(readFileSync(join(SUITE, `requirements/${REVISION}.yaml`), 'utf8')) as { server: string[] })
  .server;
const baseline = (parse(readFileSync(join(HERE, 'baseline.yml'), 'utf8')) ?? {}) as Record<string, string>;
process.exitCode = report(await runs()) ? 0 : 1;

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

async function runs(): Promise<ReadonlyMap<string, Outcomes>> {
  await using desk = new Desk();
  const remote = spawn(process.execPath, [FIXTURE, '--http'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [chunk] = (await once(remote.stdout, 'data')) as [Buffer];
    const direct = chunk.toString().trim();
    desk.push({
      'gateway.yaml': GATEWAY,
      'web.yaml': server('web', { url: direct }),
      'local.yaml': server('local', { command: ['node', FIXTURE] }),
    });
    const gateway = await (await desk.up()).serving;
    const targets: Readonly<Record<string, string>> = {
      direct,
      'gateway → HTTP': `${gateway}/servers/web/mcp`,
      'gateway → stdio': `${gateway}/servers/local/mcp`,
    };
    const outcomes = new Map<string, Outcomes>();
    for (const [name, url] of Object.entries(targets)) outcomes.set(name, await suite(url));
    return outcomes;
  } finally {
    remote.kill();
  }
}

function server(name: string, spec: object): string {
  return JSON.stringify({ apiVersion: 'slipway/v1', kind: 'Server', metadata: { name }, spec });
}

/** Runs the suite in a process of its own and reads the summary at the end of what it prints. */
async function suite(url: string): Promise<Outcomes> {
  const args = [join(SUITE, 'dist/index.js'), 'server', '--url', url, '--requirements', REVISION];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(child, 'close');
  const summary = text.slice(text.lastIndexOf('=== SUMMARY ==='));
  const rows = summary.matchAll(/^\W* ?([\w-]+): (\d+) passed, (\d+) failed/gm);
  return new Map(
    [...rows].map(([, name, passed, failed]) => [String(name), { passed: Number(passed), failed: Number(failed) }]),
  );
}

/** @returns whether all is as it should be */
function report(outcomes: ReadonlyMap<string, Outcomes>): boolean {
  const width = Math.max(...scored.map((name) => name.length));
  const columns = [...outcomes.keys()];
  console.log(`\nMCP ${REVISION}, scored scenarios\n`);
  console.log(['scenario'.padEnd(width), ...columns].join('  '));
  const wrong: string[] = [];
  for (const scenario of scored) {
    const cells = columns.map((name) => {
      const good = passes(outcomes.get(name)?.get(scenario));
      if (!good && baseline[scenario] === undefined) wrong.push(`${scenario}: failed (${name})`);
      return (good ? 'pass' : 'FAIL').padEnd(name.length);
    });
    const fails = columns.some((name) => !passes(outcomes.get(name)?.get(scenario)));
    if (!fails && baseline[scenario] !== undefined) wrong.push(`${scenario}: passes, so it must leave baseline.yml`);
    console.log([scenario.padEnd(width), ...cells].join('  '));
  }
  const sums = columns.map((name) => {
    const good = scored.filter((scenario) => passes(outcomes.get(name)?.get(scenario))).length;
    return `${good}/${scored.length}`.padEnd(name.length);
  });
  console.log([''.padEnd(width), ...sums].join('  '));
  for (const line of wrong) console.error(line);
  return wrong.length === 0;
}

/** A scenario that checked nothing has proved nothing. */
function passes(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && outcome.failed === 0 && outcome.passed > 0;
}
