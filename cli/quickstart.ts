/**
 * `npm start`: the whole story on one machine. Builds the program, makes a config repo from examples/quickstart, serves it,
 * and tells how to go on. With `--check` it also pushes a change, calls the new tool through the gateway with the official
 * SDK client, shows the audit commit, and exits.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { simpleGit } from 'simple-git';
import { AUDIT_BRANCH, stateHome } from '../reconciler/index.ts';
import { conditionOf, type Status } from '../schemas/status.ts';
import { build } from './build.ts';
import { processIo } from './io.ts';
import { findTarget, type Target } from './target.ts';

const EXAMPLE = fileURLToPath(new URL('../examples/quickstart', import.meta.url));
const READY_MS = 180_000;

interface Quickstart {
  readonly home: string;
  /** The bare repo that Slipway follows. */
  readonly remote: string;
  /** A clone of it, for people to edit and push. */
  readonly config: string;
  readonly state: string;
}

const stop = new AbortController();
process.on('SIGINT', () => stop.abort()).on('SIGTERM', () => stop.abort());
const io = processIo(stop.signal);

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((argument) => argument !== '--check');
  if (unknown !== undefined) {
    io.err(`error: npm start knows --check, and no ${JSON.stringify(unknown)}`);
    return 2;
  }
  const check = args.includes('--check');
  const place = await makeRepo(check);
  try {
    const program = await build();
    const listen = check ? '127.0.0.1:0' : '127.0.0.1:9877';
    io.err(`Serving ${place.config}`);
    const running = spawn(
      process.execPath,
      [program, 'up', '--repo', place.remote, '--state-dir', place.state, '--interval', '5s', '--listen', listen],
      { stdio: 'inherit' },
    );
    return await follow(running, place, check);
  } finally {
    if (check) rmSync(place.home, { recursive: true, force: true });
  }
}

async function follow(running: ChildProcess, place: Quickstart, check: boolean): Promise<number> {
  const ended = new Promise<number>((resolve) => running.once('exit', (code) => resolve(code ?? 1)));
  const ask = (): void => void running.kill('SIGTERM');
  stop.signal.addEventListener('abort', ask);
  try {
    const story = ready(place).then((status) => (check ? proveIt(status, place) : welcome(status, place)));
    const first = await Promise.race([story, ended]);
    return check ? (first ?? 1) : await ended;
  } catch (error) {
    if (stop.signal.aborted) return 130;
    io.err(`error: ${(error as Error).message}`);
    return 1;
  } finally {
    stop.abort(); // Ends the program, and whatever still waits for it.
    await ended;
  }
}

/** `--check` starts afresh every time; otherwise the repo stays, with what was pushed to it. */
async function makeRepo(fresh: boolean): Promise<Quickstart> {
  const home = fresh ? mkdtempSync(join(tmpdir(), 'slipway-check-')) : join(stateHome(), 'quickstart');
  const place: Quickstart = {
    home,
    remote: join(home, 'config.git'),
    config: join(home, 'config'),
    state: join(home, 'state'),
  };
  if (existsSync(place.remote)) return place;
  mkdirSync(home, { recursive: true });
  await simpleGit(home).raw(['init', '--quiet', '--bare', '--initial-branch=main', place.remote]);
  await simpleGit(home).clone(place.remote, place.config);
  const git = simpleGit(place.config);
  await git.addConfig('user.name', 'quickstart');
  await git.addConfig('user.email', 'quickstart@localhost');
  cpSync(EXAMPLE, place.config, { recursive: true });
  await push(place, 'Start with Slipway');
  return place;
}

async function push(place: Quickstart, message: string): Promise<string> {
  const git = simpleGit(place.config);
  await git.add('.');
  await git.commit(message);
  await git.push(['--quiet', 'origin', 'HEAD:main']);
  return (await git.revparse(['HEAD'])).trim();
}

/** Asks until everything is ready: the control socket appears at some moment, and there is no event for that. */
async function ready(place: Quickstart, wants: (status: Status) => boolean = () => true): Promise<Status> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline && !stop.signal.aborted) {
    const status = await target(place)
      .then((found) => found.json<Status>('GET', '/status'))
      .catch(() => undefined); // Not up yet.
    if (status?.gateway && conditionOf(status, 'Ready')?.status === 'True' && wants(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('Slipway did not become ready; see its log above.');
}

const target = ({ state }: Quickstart): Promise<Target> => findTarget({ stateDir: state }, io);

function welcome({ gateway, servers }: Status, place: Quickstart): undefined {
  const url = `${gateway?.url}/mcp`;
  const list = servers.map((server) => `  ${server.name.padEnd(12)} ${(server.tools ?? []).join(', ')}`);
  io.out(`
${io.paint('bold', 'Slipway is serving')} ${io.paint('cyan', url)}

${list.join('\n')}

Connect a client:
  claude mcp add --transport http slipway ${url}
  or put into its configuration: ${JSON.stringify({ mcpServers: { slipway: { type: 'http', url } } })}

Change something: edit ${place.config}, then
  git -C ${place.config} commit -am "my change" && git -C ${place.config} push origin HEAD:main

Ctrl-C stops it.`);
  return undefined;
}

async function proveIt(status: Status, place: Quickstart): Promise<number> {
  io.out(
    `serving ${status.servers.map((server) => `${server.name} (${server.tools?.length ?? 0} tools)`).join(', ')} at ${status.gateway?.url}/mcp`,
  );
  writeFileSync(join(place.config, 'servers/bonjour.yaml'), BONJOUR);
  const commit = await push(place, 'Add a server that speaks French');
  io.out(`pushed ${commit.slice(0, 12)}: Add a server that speaks French`);
  await (await target(place)).json('POST', '/sync?wait=true');
  const now = await ready(place, (later) => later.lastApplied?.id === commit);
  const client = new Client({ name: 'quickstart-check', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${now.gateway?.url}/mcp`)) as Transport);
  const { tools } = await client.listTools();
  if (!tools.some((tool) => tool.name === 'bonjour__hello')) throw new Error('The new tool is not listed.');
  const result = await client.callTool({ name: 'bonjour__hello', arguments: { name: 'Ada' } });
  await client.close();
  const [content] = result.content as { text?: string }[];
  io.out(`called bonjour__hello through the gateway: ${content?.text}`);
  io.out(`audit commit:\n${await auditCommit(place, commit)}`);
  return content?.text === 'Bonjour, Ada!' ? 0 : 1;
}

const BONJOUR = `# yaml-language-server: $schema=../.slipway/slipway.json
apiVersion: slipway/v1
kind: Server
metadata: { name: bonjour }
spec:
  description: Says hello in French.
  command: [node, servers/hello.mjs]
  files: [servers/hello.mjs]
  env:
    - { name: GREETING, value: Bonjour }
`;

/** The record is pushed right after the commit was applied; this waits for it. */
async function auditCommit(place: Quickstart, commit: string): Promise<string> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const found = await simpleGit(place.remote)
      .raw(['log', '-1', '--stat', `--grep=Slipway-Commit: ${commit}`, `refs/heads/${AUDIT_BRANCH}`, '--'])
      .catch(() => '');
    if (found !== '') return found.trimEnd();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('No audit commit was written.');
}

process.exitCode = await main(process.argv.slice(2));
