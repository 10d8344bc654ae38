/** Removes images that nobody needs any more: those that Slipway built or pulled here for this owner, and no others. */
import type { Log } from '../../../../schemas/log.ts';
import { ifThere, messageOf, statusOf } from '../answers.ts';
import type { Engine } from '../engine.ts';
import { ownFilter, type Owner } from '../labels.ts';
import type { ImageNotes } from './notes.ts';
import { contentId } from './pull.ts';
import { isSameImage } from './reference.ts';

interface Collection {
  readonly engine: Engine;
  readonly owner: Owner;
  readonly notes: ImageNotes;
  /** Ids of the images that are needed, whether a container uses them or not. */
  readonly wanted: ReadonlySet<string>;
  /** An image goes when it was not needed for so long: whoever takes a commit back finds it still there. */
  readonly graceMs: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** @returns the names of what was removed */
export async function collectImages(collection: Collection): Promise<string[]> {
  const { engine, owner, notes, wanted, graceMs, signal } = collection;
  const { docker, address } = engine;
  const containers = await docker.listContainers({ all: true });
  const used = new Set([...wanted, ...containers.map(({ ImageID }) => contentId({ Id: ImageID }))]);
  // Without `all`, what other images stand on is not listed.
  const built = await docker.listImages({ filters: { label: ownFilter(owner) } });
  const candidates = new Map<string, readonly string[]>([
    ...built.map((image) => [contentId(image), namesOf(image.RepoTags)] as const),
    ...notes.pulled(address.host),
  ]);
  notes.forgetOthers(address.host, new Set(candidates.keys()));
  const removed: string[] = [];
  for (const [id, names] of candidates) {
    signal.throwIfAborted();
    if (used.has(id)) notes.used(address.host, id);
    else if (Date.now() - notes.unusedSince(address.host, id, Date.now()) >= graceMs)
      removed.push(...(await removeImage(collection, id, names)));
  }
  return removed;
}

/** A build that was cut off leaves images without a name, which some engines list as `<none>`. */
function namesOf(tags: readonly string[] | null | undefined): string[] {
  return (tags ?? []).filter((tag) => !tag.startsWith('<'));
}

/** Takes our names away; the image goes with its last name. Who gave it another name wants to keep it. */
async function removeImage(
  { engine: { docker, address }, notes, log }: Collection,
  id: string,
  names: readonly string[],
): Promise<string[]> {
  const image = docker.getImage(id);
  try {
    const info = await ifThere(image.inspect());
    const tags = namesOf(info?.RepoTags);
    const ours = tags.filter((tag) => names.some((name) => isSameImage(name, tag)));
    for (const tag of ours) await ifThere(docker.getImage(tag).remove());
    // A tag that moved on left it without a name.
    if (info && tags.length === 0) await ifThere(image.remove());
    notes.forget(address.host, id);
    return ours.length > 0 ? ours : info && tags.length === 0 ? [`${names[0] ?? 'image'} (${id.slice(7, 19)})`] : [];
  } catch (error) {
    // Somebody began to use it meanwhile, or another image stands on it.
    if (statusOf(error) !== 409) throw error;
    log('debug', `image ${id.slice(7, 19)} stays: ${messageOf(error)}`);
    return [];
  }
}
