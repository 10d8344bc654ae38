/** What a container costs beside `docker run -i` and beside a process, and what fifty of them cost. Needs a local engine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import type { Driver } from '../../reconciler/drivers/driver.ts';
import type { Workload } from '../../reconciler/workload.ts';
import type { Connection } from '../../schemas/peer.ts';
import { GATEWAY } from '../helpers/configs.ts';
import { dockerRig, imageWorkload } from '../helpers/docker-driver.ts';
import { engineHere, sweep } from '../helpers/engine.ts';
import { serverImage } from '../helpers/images.ts';
import { callTool, initialize, toolNames } from '../helpers/mcp.ts';
import { processRig, untilState } from '../helpers/process-driver.ts';
import { Desk } from '../helpers/slipway.ts';
import { workload } from '../helpers/workload.ts';
import { cpuWithChildrenMs, median, percentile, printRows, timed, type Row } from './measure.ts';

const SERVER = fileURLToPath(new URL('../fixtures/images/server/server.mjs', import.meta.url));
const STARTS = 8;
const CALLS = 2000;
const MANY = 50;
const TICKS = 20;
const never = (): AbortSignal => new AbortController().signal;

export async function containersBench(): Promise<Row[]> {
  const engine = engineHere;
  if (engine instanceof Error) throw engine;
  const image = await serverImage(engine);
  const rows = [
    ...(await starts(engine, image)),
    ...(await calls(engine, image)),
    ...(await throughGateway(engine, image)),
    ...(await healing(engine, image)),
  ];
  printRows('A server in a container', rows);
  const many = await fifty(engine, image);
  printRows(`${MANY} servers in containers`, many);
  return [...rows, ...many];
}

/** From nothing to a list of tools, in turns: Slipway's driver, and the docker command with the same isolation. */
async function starts(engine: Engine, image: string): Promise<Row[]> {
  await using rig = await dockerRig(engine);
  const own: number[] = [];
  const docker: number[] = [];
  for (let turn = 0; turn < STARTS; turn++) {
    const wanted = imageWorkload(image, { name: `start-${turn}` });
    own.push(
      await timed(async () => {
        const connection = await open(rig.driver, wanted);
        await toolNames(connection);
      }),
    );
    docker.push(await timed(() => dockerRun(image)));
  }
  return [
    { name: 'start to a list of tools: docker run -i', value: median(docker), unit: 'ms' },
    { name: 'start to a list of tools: Slipway', value: median(own), unit: 'ms' },
    { name: '  ratio', value: median(own) / median(docker), unit: '×', target: 1.5 },
  ];
}

async function dockerRun(image: string): Promise<void> {
  const tight = '--rm -i --init --network none --user 65534:65534 --read-only --tmpfs /tmp --cap-drop ALL';
  const limits = '--security-opt no-new-privileges --memory 512m --cpus 0.5 --pids-limit 128';
  const child = spawn('docker', ['run', ...`${tight} ${limits}`.split(' '), image], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  for (const [id, method] of ['initialize', 'tools/list'].entries()) {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params: {} })}\n`);
    await lines.next();
  }
  child.kill();
}

/** The same program as a process and in a container, one call at a time and many. */
async function calls(engine: Engine, image: string): Promise<Row[]> {
  await using processes = await processRig();
  await using containers = await dockerRig(engine);
  const child = await open(processes.driver, workload({ argv: [process.execPath, SERVER] }));
  const attached = await open(containers.driver, imageWorkload(image, { resources: { cpu: 2 } }));
  const [near, far]: number[][] = [[], []];
  for (let turn = 0; turn < CALLS; turn++) {
    near?.push(await timed(() => callTool(child, 'echo', { message: 'x' })));
    far?.push(await timed(() => callTool(attached, 'echo', { message: 'x' })));
  }
  const rate = async (connection: Connection): Promise<number> => {
    const took = await timed(() =>
      Promise.all(Array.from({ length: CALLS }, () => callTool(connection, 'echo', { message: 'x' }))),
    );
    return (CALLS / took) * 1000;
  };
  const [fast, slower] = [await rate(child), await rate(attached)];
  return [
    { name: 'one call: a process', value: median(near ?? []), unit: 'ms' },
    { name: 'one call: a container', value: median(far ?? []), unit: 'ms' },
    { name: '  ratio', value: median(far ?? []) / median(near ?? []), unit: '×' },
    { name: '  p99', value: percentile(far ?? [], 0.99), unit: 'ms' },
    { name: 'calls side by side: a container over a process', value: slower / fast, unit: '×' },
  ];
}

/** The same two through the gateway, as clients see them. */
async function throughGateway(engine: Engine, image: string): Promise<Row[]> {
  await using desk = new Desk();
  const server = (name: string, how: string): string =>
    `apiVersion: slipway/v1\nkind: Server\nmetadata: { name: ${name} }\nspec: { ${how} }\n`;
  desk.push({
    'gateway.yaml': GATEWAY,
    'near.yaml': server('near', `command: ["${process.execPath}", "${SERVER}"]`),
    'far.yaml': server('far', `image: "${image}", resources: { cpu: 2 }`),
  });
  const running = await desk.up([], { DOCKER_HOST: engine.address.host });
  const owner = readFileSync(join(desk.state, 'owner'), 'utf8');
  try {
    await desk.sync();
    const url = await running.serving;
    const [near, far] = [await client(`${url}/servers/near/mcp`), await client(`${url}/servers/far/mcp`)];
    const [process_, container]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < CALLS; turn++) {
      process_.push(await timed(near));
      container.push(await timed(far));
    }
    return [
      { name: 'one call through the gateway: a process', value: median(process_), unit: 'ms' },
      { name: 'one call through the gateway: a container', value: median(container), unit: 'ms' },
      { name: '  ratio', value: median(container) / median(process_), unit: '×', target: 2 },
    ];
  } finally {
    await desk[Symbol.asyncDispose]();
    await sweep(engine, owner);
  }
}

/** Opens a session. @returns makes one call in it */
async function client(url: string): Promise<() => Promise<void>> {
  const agent = new Agent({ keepAlive: true });
  let session: string | undefined;
  const post = async (method: string, params: object): Promise<void> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...(session === undefined ? {} : { 'Mcp-Session-Id': session }),
    };
    const sent = request(url, { method: 'POST', agent, headers });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    session ??= answer.headers['mcp-session-id'] as string | undefined;
    await text(answer);
  };
  const clientInfo = { name: 'bench', version: '1' };
  await post('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  return () => post('tools/call', { name: 'echo', arguments: { message: 'x' } });
}

async function healing(engine: Engine, image: string): Promise<Row[]> {
  await using rig = await dockerRig(engine);
  const wanted = imageWorkload(image, { lifecycle: 'always' });
  const began = performance.now();
  const connection = await open(rig.driver, wanted);
  const start = performance.now() - began;
  const { id } = await rig.driver.ensure(wanted, 0, never());
  const filters = { label: [`slipway.owner=${rig.state.owner}`] };
  const [container] = await engine.docker.listContainers({ filters });
  await engine.docker.getContainer(container?.Id ?? '').kill();
  const healed = await timed(async () => {
    await untilState(rig.driver, id, 'crashed');
    await callTool(connection, 'echo', { message: 'x' });
  });
  return [{ name: 'killed → a call is answered', value: healed, unit: 'ms', target: Math.round(1500 + start) }];
}

/** Ticks of the whole program, with nothing to do. */
async function fifty(engine: Engine, image: string): Promise<Row[]> {
  await using desk = new Desk();
  const server = (index: number): string => `apiVersion: slipway/v1
kind: Server
metadata: { name: s${index} }
spec: { image: "${image}", lifecycle: always, resources: { cpu: 2 } }
`;
  const files = Array.from({ length: MANY }, (_, index) => [`s${index}.yaml`, server(index)] as const);
  desk.push({ 'gateway.yaml': GATEWAY, ...Object.fromEntries(files) });
  let owner = '';
  try {
    const took = performance.now();
    const running = await desk.up(['--interval', '500ms'], { DOCKER_HOST: engine.address.host });
    owner = readFileSync(join(desk.state, 'owner'), 'utf8');
    await desk.sync();
    const ready = performance.now() - took;
    const pid = running.child.pid ?? 0;
    await delay(3000); // Whatever the start still does.
    const before = cpuWithChildrenMs(pid);
    await delay(500 * TICKS);
    const tick = (cpuWithChildrenMs(pid) - before) / TICKS;
    return [
      { name: 'all ready after', value: ready, unit: 'ms' },
      { name: 'CPU of a tick without changes', value: tick, unit: 'ms', target: 50 },
    ];
  } finally {
    await desk[Symbol.asyncDispose]();
    await sweep(engine, owner);
  }
}

async function open(driver: Driver, wanted: Workload): Promise<Connection> {
  const { id } = await driver.ensure(wanted, 0, never());
  const connection = driver.connect?.(id, {});
  if (!connection) throw new Error(`no connection to ${id}`);
  await initialize(connection);
  return connection;
}
