/** Why an image could not be had: what engines and registries say, told apart. Pure. */
import { SlipwayError } from '../../../../schemas/errors.ts';
import type { Pull } from '../../../workload.ts';
import { messageOf, statusOf } from '../answers.ts';
import { ProgressError } from './progress.ts';

/**
 * Engines give the registry's words and mostly status 500, so the words decide: those of dockerd 20.10 … 28 and Podman 4,
 * https://github.com/distribution/distribution/blob/main/docs/content/spec/api.md#errors and those of Go's net package.
 */
const DISK_FULL = /no space left on device|disk quota exceeded/i;
const DENIED =
  /unauthorized|authentication required|no basic auth credentials|access (to the resource is )?denied|denied:|incorrect username or password|403 forbidden/i;
const MISSING =
  /manifest unknown|name unknown|not known to registry|not found|does not exist|no such image|no matching manifest|invalid reference|unsupported manifest/i;

/** @param image as it stands in the config @param mask hides the password, should a registry repeat it */
export function pullRefusal(
  error: unknown,
  image: string,
  credentials: Pull['credentials'],
  mask: (text: string) => string,
): SlipwayError {
  const said = mask(messageOf(error)).replace(/\.$/, '');
  const options = { cause: error };
  if (statusOf(error) === undefined && !(error instanceof ProgressError))
    return new SlipwayError('engine-unreachable', `The engine broke off while it pulled ${image}: ${said}.`, options);
  if (DISK_FULL.test(said)) return diskFull(`while it pulled ${image}`, error);
  if (DENIED.test(said)) {
    const { secret } = credentials?.password ?? {};
    const hint =
      secret === undefined
        ? 'Name a Secret with username and password in pull.credentials, or check the name of the image.'
        : `Check username and password of the Secret ${secret}, and what that user may read.`;
    return new SlipwayError('image-missing', `The registry refused ${image}: ${said}.`, { ...options, hint });
  }
  if (statusOf(error) === 404 || statusOf(error) === 400 || MISSING.test(said))
    return new SlipwayError('image-missing', `There is no image ${image}: ${said}.`, options);
  return new SlipwayError('registry-unreachable', `${image} could not be pulled: ${said}.`, options);
}

/** For whatever else an engine is asked about images. */
export function engineRefusal(error: unknown): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const code = statusOf(error) === undefined ? 'engine-unreachable' : 'start-failed';
  return new SlipwayError(code, `The engine does not tell about its images: ${messageOf(error)}.`, { cause: error });
}

export function diskFull(when: string, cause: unknown): SlipwayError {
  return new SlipwayError('engine-disk-full', `The engine’s disk is full: it ran out of space ${when}.`, { cause });
}

export function isDiskFull(text: string): boolean {
  return DISK_FULL.test(text);
}
