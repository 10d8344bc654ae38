/** What other Slipways left on an engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instanceName } from '../../workload.ts';
import type { Orphan } from '../driver.ts';
import { ifThere } from './answers.ts';
import type { Engine } from './engine.ts';
import { LABEL, type Owner } from './labels.ts';
import { removeSecretFiles } from './secret-files.ts';

type Labels = Readonly<Record<string, string>> | undefined;

interface Marked {
  readonly orphan: Orphan;
  remove(): Promise<unknown>;
}

export async function orphansOn(engine: Engine, owner: Owner): Promise<Orphan[]> {
  return (await marked(engine, owner)).map(({ orphan }) => orphan);
}

/** @param ids of orphans; others are left alone @returns what was removed */
export async function pruneOn(engine: Engine, owner: Owner, ids: readonly string[]): Promise<string[]> {
  const wanted = (await marked(engine, owner)).filter(({ orphan }) => ids.includes(orphan.id));
  const removed: string[] = [];
  // Containers first: a network or an image that is in use cannot be removed.
  for (const { orphan, remove } of wanted) {
    try {
      await ifThere(remove());
      removed.push(orphan.id);
    } catch {
      // It is not among what was removed, and whoever asked sees that.
    }
  }
  return removed;
}

async function marked({ docker, info }: Engine, owner: Owner): Promise<Marked[]> {
  const filters = { label: [`${LABEL.managed}=true`] };
  const [containers, networks, images] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listImages({ filters }),
  ]);
  const orphan = (id: string, kind: Orphan['kind'], labels: Labels, createdAt: Date): Orphan => ({
    id,
    kind,
    owner: labels?.[LABEL.owner] ?? '',
    ...(labels?.[LABEL.server] ? { server: labels[LABEL.server] } : {}),
    createdAt: createdAt.toISOString(),
    dead: info.local && isGone(labels),
  });
  const all: Marked[] = [
    ...containers.map((one) => ({
      orphan: orphan(one.Names[0]?.slice(1) ?? one.Id, 'instance', one.Labels, new Date(one.Created * 1000)),
      remove: async () => {
        await ifThere(docker.getContainer(one.Id).remove({ force: true, v: true }));
        if (info.local) await removeSecrets(one.Labels);
      },
    })),
    ...networks.map((one) => ({
      orphan: orphan(one.Name, 'network', one.Labels, new Date(one.Created)),
      remove: () => docker.getNetwork(one.Id).remove(),
    })),
    ...images.map((one) => ({
      orphan: orphan(one.RepoTags?.[0] ?? one.Id, 'image', one.Labels, new Date(one.Created * 1000)),
      remove: () => docker.getImage(one.Id).remove({ force: true }),
    })),
  ];
  // An image of somebody else may carry some of our labels; what a Slipway made says which.
  return all.filter(({ orphan: { owner: of } }) => of !== '' && of !== owner.id);
}

/** Of an instance, which its labels name. Whoever wrote them has no say in what else is removed. */
async function removeSecrets(labels: Record<string, string>): Promise<void> {
  const {
    [LABEL.owner]: id = '',
    [LABEL.server]: name = '',
    [LABEL.hash]: hash = '',
    [LABEL.replica]: replica,
  } = labels;
  const instance = instanceName({ name, hash }, Number(replica));
  if (/^[0-9a-f]{8,}$/.test(id) && /^[a-z0-9-]+$/.test(instance)) await removeSecretFiles({ id, home: '' }, instance);
}

/** Its state directory is gone, or is somebody else's now. One that merely does not run may come back for its own. */
function isGone(labels: Labels): boolean {
  try {
    const home = labels?.[LABEL.home];
    return home !== undefined && readFileSync(join(home, 'owner'), 'utf8').trim() !== labels?.[LABEL.owner];
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
