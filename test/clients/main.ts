/**
 * `npm run clients`: other people's clients against a running Slipway, over HTTP with a bearer token. Each connects in its
 * own way; those that can call a tool do, the coding agents check the server's health.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GATEWAY, helloServer, HELLO_PROGRAM } from '../helpers/configs.ts';
import { Desk } from '../helpers/slipway.ts';
import { CLIENTS, isInstalled, MODULES, type ClientRow } from './clients.ts';

const HERE = import.meta.dirname;
const TOKEN = 'slw_a-token-for-other-peoples-clients';

install();
process.exitCode = (await all()) ? 0 : 1;

function install(): void {
  const { dependencies } = readJson(join(HERE, 'package.json')) as { dependencies: Record<string, string> };
  const fits = Object.entries(dependencies).every(([name, version]) => versionOf(name) === version);
  if (fits) return;
  console.error("Installing other people's clients.");
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status } = spawnSync('npm', args, { cwd: HERE, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('The clients could not be installed, so nothing was proved.');
}

async function all(): Promise<boolean> {
  await using desk = new Desk();
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  desk.push({
    'gateway.yaml': GATEWAY,
    'hello.mjs': HELLO_PROGRAM,
    'hello.yaml': helloServer('hello'),
    'token.yaml': `apiVersion: slipway/v1\nkind: Token\nmetadata: { name: clients }\nspec: { sha256: ${sha256} }\n`,
  });
  const running = await desk.up();
  const url = `${await running.serving}/mcp`;
  let good = true;
  for (const client of CLIENTS) {
    const home = mkdtempSync(join(desk.home, 'client-'));
    const outcome = isInstalled(client) ? await meet(client, { url, token: TOKEN, home }) : 'not for this platform';
    good &&= !outcome.startsWith('FAILED');
    console.log(`  ${client.name.padEnd(30)} ${(versionOf(client.package) ?? '-').padEnd(10)} ${outcome}`);
  }
  return good;
}

async function meet(client: ClientRow, setting: Parameters<ClientRow['run']>[0]): Promise<string> {
  const began = performance.now();
  const said = await client.run(setting).catch(String);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  return client.says.test(said) ? `fine, ${seconds} s` : `FAILED, ${seconds} s: ${said.slice(0, 2000)}`;
}

function versionOf(name: string): string | undefined {
  const manifests = [MODULES, join(HERE, '../../node_modules')].map((folder) => join(folder, name, 'package.json'));
  const found = manifests.find((path) => existsSync(path));
  return found === undefined ? undefined : (readJson(found) as { version: string }).version;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8')) as unknown;
}
