/**
 * `npm run bench [-- reconcile|gateway|access|cli|leaks|peers|metrics|rollout|containers|images|audit|results|tokens] [--json file]`. Numbers, not tests: machines differ and are noisy,
 * so compare ratios of one run.
 */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Row } from './measure.ts';
import { SUITES } from './suites.ts';

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * In a process of its own, which has loaded nothing else: each collection of a load generator's garbage goes through all
 * that lives beside it. With 50 MB of other suites `tools/list` took 260 µs a list to ask for, without them 90.
 */
async function measured(name: string, program: string): Promise<Row[]> {
  const child = fork(pathOf('suite.ts'), [name, program]);
  let rows: Row[] | undefined;
  child.once('message', (message) => (rows = message as Row[]));
  // Not `exit`, which may come before the rows.
  await once(child, 'close');
  if (!rows) throw new Error(`${name} came to no end.`);
  return rows;
}

const { values, positionals: wanted } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const unknown = wanted.find((name) => !Object.hasOwn(SUITES, name));
if (unknown !== undefined) throw new Error(`There is no suite ${unknown}, but: ${Object.keys(SUITES).join(', ')}`);
/** One needs others installed, and one takes minutes: only when asked for. */
const usual = Object.keys(SUITES).filter((name) => name !== 'peers' && name !== 'leaks');
execFileSync(process.execPath, [pathOf('../../cli/build.ts')], { stdio: 'inherit' });
const results: Record<string, Row[]> = {};
for (const name of wanted.length > 0 ? wanted : usual)
  results[name] = await measured(name, pathOf('../../dist/slipway.js'));
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
