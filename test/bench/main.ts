/**
 * `npm run bench [-- reconcile|gateway|access|cli|leaks|peers|metrics|rollout|containers|images|audit|results|tokens] [--json file]`. Numbers, not tests: machines differ and are noisy,
 * so compare ratios of one run.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { accessBench } from './access.ts';
import { auditBench } from './audit.ts';
import { cliBench } from './cli.ts';
import { containersBench } from './containers.ts';
import { gatewayBench } from './gateway.ts';
import { imagesBench } from './images.ts';
import { leaksBench } from './leaks.ts';
import type { Row } from './measure.ts';
import { metricsBench } from './metrics.ts';
import { peersBench } from './peers.ts';
import { reconcileBench } from './reconcile.ts';
import { resultsBench } from './results.ts';
import { rolloutBench } from './rollout.ts';
import { tokensBench } from './tokens.ts';

const SUITES: Readonly<Record<string, (program: string) => Promise<Row[]>>> = {
  reconcile: reconcileBench,
  gateway: gatewayBench,
  access: accessBench,
  cli: cliBench,
  leaks: leaksBench,
  peers: peersBench,
  metrics: metricsBench,
  rollout: rolloutBench,
  results: resultsBench,
  tokens: tokensBench,
  containers: containersBench,
  images: imagesBench,
  audit: auditBench,
};

const args = process.argv.slice(2);
const json = args.includes('--json') ? args[args.indexOf('--json') + 1] : undefined;
const wanted = args.filter((argument) => argument in SUITES);
/** One needs others installed, and one takes minutes: only when asked for. */
const usual = Object.keys(SUITES).filter((name) => name !== 'peers' && name !== 'leaks');
// In a process of its own: it takes 700 MB, which load generators had better not begin with.
execFileSync(process.execPath, [fileURLToPath(new URL('../../cli/build.ts', import.meta.url))], { stdio: 'inherit' });
const program = fileURLToPath(new URL('../../dist/slipway.js', import.meta.url));
const results: Record<string, Row[]> = {};
for (const name of wanted.length > 0 ? wanted : usual) results[name] = (await SUITES[name]?.(program)) ?? [];
if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
