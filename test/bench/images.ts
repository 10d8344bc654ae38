/** What it costs to have an image: pulled from a registry on this host, built for a package. Needs a local engine, and root. */
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { specHash, type Workload } from '../../reconciler/workload.ts';
import { dockerRig } from '../helpers/docker-driver.ts';
import { testDaemon } from '../helpers/dockerd.ts';
import { engineHere } from '../helpers/engine.ts';
import { containerWorkload, imagesRig, imageWorkload } from '../helpers/images-rig.ts';
import { npmImage } from '../helpers/images.ts';
import { callTool, initialize } from '../helpers/mcp.ts';
import { testRegistry } from '../helpers/registry.ts';
import { printRows, timed, type Row } from './measure.ts';

const signal = new AbortController().signal;
/** Of the npm registry, with all that it depends on. */
const PACKAGE = { name: '@modelcontextprotocol/server-everything', version: '2026.8.31', args: ['stdio'] };

export async function imagesBench(): Promise<Row[]> {
  if (engineHere instanceof Error) throw engineHere;
  const rows = [...(await pulls(engineHere)), ...(await packages(engineHere))];
  printRows('Images', rows);
  return rows;
}

/** To an engine that has nothing yet. */
async function pulls(machine: Engine): Promise<Row[]> {
  await using registry = await testRegistry();
  const { reference } = await registry.push(machine, await npmImage(machine), 'bench/npm:1');
  await using daemon = await testDaemon();
  using engine = await daemon.engine();
  await using rig = imagesRig(engine);
  const ensure = (workload: Workload): Promise<number> => timed(() => rig.images.ensure(engine, workload, { signal }));
  const first = await ensure(imageWorkload(reference));
  const { Size: bytes } = await engine.docker.getImage(reference).inspect();
  return [
    { name: `pull of ${Math.round(bytes / 1e6)} MB`, value: first, unit: 'ms' },
    { name: 'ifNotPresent, when it is there', value: await ensure(imageWorkload(reference)), unit: 'ms' },
    {
      name: 'always, when nothing is newer',
      value: await ensure(imageWorkload(reference, { policy: 'always' })),
      unit: 'ms',
    },
  ];
}

async function packages(machine: Engine): Promise<Row[]> {
  await using rig = await dockerRig(machine);
  const plain = containerWorkload({ type: 'package', ecosystem: 'npm', ...PACKAGE });
  const place = { name: 'bench', runners: { npm: await npmImage(machine) } };
  const workload = { ...plain, engine: place, hash: specHash(plain.run, 'docker') };
  const ensure = (index: number): Promise<number> => timed(() => rig.driver.ensure(workload, index, signal));
  const build = await ensure(0);
  const create = await ensure(1);
  const { id } = await rig.driver.ensure(workload, 1, signal);
  const call = await timed(async () => {
    const connection = rig.driver.connect?.(id, {});
    if (!connection) throw new Error('no connection');
    await initialize(connection);
    await callTool(connection, 'echo', { message: 'hi' });
    connection.close();
  });
  return [
    { name: `build for ${PACKAGE.name}, and its container`, value: build, unit: 'ms' },
    { name: 'container of a package that is built', value: create, unit: 'ms' },
    { name: 'start of a package that is built, to a tool’s answer', value: call, unit: 'ms' },
  ];
}
