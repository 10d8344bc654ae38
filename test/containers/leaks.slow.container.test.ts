/** What is used again and again is given back: 200 rollouts in a row; and what has nothing to do asks for next to nothing. */
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import type { Driver } from '../../reconciler/drivers/driver.ts';
import { dockerRig, imageWorkload } from '../helpers/docker-driver.ts';
import { imageServer, resource } from '../helpers/config.ts';
import { describeEngine } from '../helpers/engine.ts';
import { busyboxImage, image as buildImage } from '../helpers/images.ts';
import { requestCounter } from '../helpers/request-counter.ts';
import { Rig } from '../helpers/rig.ts';
import { connected } from '../helpers/process-driver.ts';
import { callTool } from '../helpers/mcp.ts';

const never = (): AbortSignal => new AbortController().signal;
const ROLLOUTS = 200;
/** Until everything was used once, and caches are full. */
const WARM_UP = 20;
const MiB = 2 ** 20;

describeEngine('in the long run', async (engine) => {
  const image = await shellServer(engine);

  test(`${ROLLOUTS} rollouts in a row leave nothing behind`, { timeout: 900_000 }, async () => {
    await using rig = await Rig.make({ engine });
    await rig.reconciler.start();
    const version = (n: number): string =>
      imageServer('tiny', image, [], { env: [{ name: 'VERSION', value: `v${n}` }], rollout: { monitor: '0s' } });
    let before = await footprint(engine, rig);
    for (let n = 1; n <= ROLLOUTS; n++) {
      await rig.apply({ 'a.yaml': version(n) });
      expect(await rig.call('tiny', 'version')).toBe(`v${n}`);
      rig.snapshots.length = rig.statuses.length = rig.logs.length = 0; // What only the test keeps.
      if (n === WARM_UP) before = await footprint(engine, rig);
    }
    const after = await footprint(engine, rig);
    const { memory: memoryBefore, files: filesBefore, ...thingsBefore } = before;
    const { memory, files, ...things } = after;
    expect(things).toEqual(thingsBefore);
    expect(files).toBeLessThan(filesBefore + 10); // How many connections to the engine are kept varies by a few.
    expect((memory - memoryBefore) / MiB).toBeLessThan(10);
  });

  test(
    '50 containers with nothing to do: a pass costs next to no CPU and asks the engine next to nothing',
    {
      timeout: 300_000,
    },
    async () => {
      await using counter = await requestCounter(engine.request.socketPath ?? '');
      await using rig = await Rig.make({ engine });
      await rig.reconciler.start();
      const files = Array.from({ length: 50 }, (_, index) => [
        `s${index}.yaml`,
        imageServer(`s${index}`, image, [], { engine: 'counted', rollout: { monitor: '0s' } }),
      ]);
      await rig.apply({
        'e.yaml': resource('Engine', 'counted', { host: counter.host }),
        ...Object.fromEntries(files),
      });
      expect(await rig.docker.list(never())).toHaveLength(50);
      await rig.reconciler.sync();
      const costs: number[] = [];
      counter.requests.length = 0;
      for (let turn = 0; turn < 10; turn++) {
        const { user, system } = process.cpuUsage();
        await rig.reconciler.sync();
        const now = process.cpuUsage();
        costs.push((now.user + now.system - user - system) / 1000);
      }
      costs.sort((a, b) => a - b);
      if (process.env['SHOW'])
        console.log(`no-op pass: ${costs.map((ms) => ms.toFixed(1)).join(' ')} ms CPU; ${counter.requests.join(', ')}`);
      expect(costs[Math.floor(costs.length / 2)]).toBeLessThan(50);
      expect(
        counter.requests.filter((request) => request.includes('/json') && !request.includes('/containers/json')),
      ).toEqual([]);
      expect(counter.requests.length).toBeLessThan(20);
    },
  );

  test('200 conversations with one container leave no socket and no file open', async () => {
    await using rig = await dockerRig(engine);
    const { id } = await rig.driver.ensure(imageWorkload(image), 0, never());
    await talk(rig.driver, id);
    const before = open();
    for (let n = 0; n < 200; n++) await talk(rig.driver, id);
    expect(open()).toBeLessThan(before + 10);
  });
});

async function talk(driver: Driver, id: string): Promise<void> {
  const connection = await connected(driver, id);
  await callTool(connection, 'version');
  connection.close();
}

/** Files and sockets of this process. */
const open = (): number => readdirSync('/proc/self/fd').length;

async function footprint({ docker }: Engine, { state }: Rig) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const filters = { label: [`slipway.owner=${state.owner}`] };
  return {
    containers: (await docker.listContainers({ all: true, filters })).length,
    networks: (await docker.listNetworks({ filters })).length,
    sockets: readdirSync(state.paths.sockets).length,
    logs: readdirSync(state.paths.logs).length,
    files: open(),
    memory: process.memoryUsage().heapUsed,
  };
}

/** An MCP server in a shell: it starts in no time, so that hundreds of starts are no burden. @returns its tag */
async function shellServer(engine: Engine): Promise<string> {
  const server = `#!/bin/sh
while read -r line; do
  id=$(echo "$line" | sed -n 's/.*"id":\\([^,}]*\\).*/\\1/p')
  case $line in
    *'"initialize"'*) result='{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}' ;;
    *'"tools/list"'*) result='{"tools":[{"name":"version","inputSchema":{"type":"object"}}]}' ;;
    *'"tools/call"'*) result='{"content":[{"type":"text","text":"'$VERSION'"}]}' ;;
    *'"ping"'*) result='{}' ;;
    *) [ -n "$id" ] && echo '{"jsonrpc":"2.0","id":'$id',"error":{"code":-32601,"message":"no such method"}}'; continue ;;
  esac
  [ -n "$id" ] && echo '{"jsonrpc":"2.0","id":'$id',"result":'$result'}'
done
`;
  const base = await busyboxImage(engine);
  const dockerfile = `FROM ${base}\nENV VERSION=v0\nCOPY server /server\nENTRYPOINT ["sh", "/server"]\n`;
  return buildImage(engine, 'shell', [dockerfile, server], { Dockerfile: dockerfile, server });
}
