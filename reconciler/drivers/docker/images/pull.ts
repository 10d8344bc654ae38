/** Gets an image onto an engine, as the pull policy says. */
import type { ImageInspectInfo } from 'dockerode';
import { SlipwayError } from '../../../../schemas/errors.ts';
import type { Log } from '../../../../schemas/log.ts';
import { redactor } from '../../../../schemas/sensitive.ts';
import type { OpenSecret } from '../../../../schemas/upstream-auth.ts';
import type { Pull } from '../../../workload.ts';
import { ifThere } from '../answers.ts';
import type { Engine } from '../engine.ts';
import { authFor } from './credentials.ts';
import { follow, PullMeter, throttle } from './progress.ts';
import { digestIn, fullName, parseReference } from './reference.ts';
import { pullRefusal } from './refusals.ts';

/** An image that is on the engine. */
export interface PresentImage {
  /** Hash of its configuration, `sha256:…`: no other image has it, whatever tags say. */
  readonly id: string;
  /** As it stands in the config. */
  readonly reference: string;
  /** Of its manifest, `sha256:…`, where it came from a registry. */
  readonly digest?: string;
}

interface Pulled extends PresentImage {
  /** This pull brought it: before, the engine did not have it. */
  readonly fresh: boolean;
}

const TELL_EVERY_MS = 5000;

/** @returns undefined where the engine does not have it */
export async function presentImage({ docker }: Engine, image: string): Promise<PresentImage | undefined> {
  const reference = parseReference(image);
  // As written first: on Podman, an image of this host has a name that no registry's image has.
  const written = reference.digest === undefined ? image : fullName(reference);
  const info =
    (await ifThere(docker.getImage(written).inspect())) ??
    (written === fullName(reference) ? undefined : await ifThere(docker.getImage(fullName(reference)).inspect()));
  if (!info) return undefined;
  const digest = digestIn(reference, info.RepoDigests);
  return { id: contentId(info), reference: image, ...(digest === undefined ? {} : { digest }) };
}

/** Podman leaves the algorithm out. */
export function contentId({ Id: id }: Pick<ImageInspectInfo, 'Id'>): string {
  return id.includes(':') ? id : `sha256:${id}`;
}

/**
 * @throws SlipwayError image-missing, registry-unreachable, engine-disk-full, engine-unreachable, secret-unavailable; the
 * signal's reason
 */
export async function pull(
  engine: Engine,
  image: string,
  credentials: Pull['credentials'],
  { log, secrets, signal }: { log: Log; secrets: OpenSecret; signal: AbortSignal },
): Promise<Pulled> {
  const reference = parseReference(image);
  const auth = await authFor(reference, credentials, secrets);
  const before = await localIds(engine);
  const began = performance.now();
  const meter = new PullMeter();
  const tell = throttle(TELL_EVERY_MS, () => log('info', `pulling ${image}`, { engine: engine.name, ...meter.done }));
  log('info', `pulling ${image}`, { engine: engine.name });
  try {
    const stream = await engine.docker.createImage(auth, { fromImage: fullName(reference), abortSignal: signal });
    await follow(stream, (progress) => {
      meter.note(progress);
      tell();
    });
  } catch (error) {
    signal.throwIfAborted();
    const mask = redactor(auth ? [auth.password] : []);
    throw pullRefusal(error, image, credentials, mask);
  }
  const found = await presentImage(engine, image);
  // A registry that sent other content under this digest was refused by the engine, which compares them.
  if (!found || (reference.digest !== undefined && found.digest !== reference.digest))
    throw new SlipwayError('image-missing', `${image} was pulled, but the engine has another image under that name.`);
  const fresh = !before.has(found.id);
  const seconds = Number(((performance.now() - began) / 1000).toFixed(1));
  log(fresh ? 'info' : 'debug', `pulled ${image}`, { engine: engine.name, seconds, id: found.id });
  return { ...found, fresh };
}

async function localIds({ docker }: Engine): Promise<Set<string>> {
  return new Set((await docker.listImages()).map(contentId));
}
