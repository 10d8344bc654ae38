/** Secret files of containers: memory of this host, mounted read-only, so that no value lies on a disk or in what inspect shows. */
import { SlipwayError } from '../../../schemas/errors.ts';
import type { OpenSecret } from '../../../schemas/upstream-auth.ts';
import * as files from '../../secrets/files.ts';
import type { SecretFile } from '../../workload.ts';
import type { Engine } from './engine.ts';
import type { Owner } from './labels.ts';

const ownerOf = ({ id }: Owner): string => id.slice(0, 8);

/** @throws SlipwayError as in `secrets/files`; isolation-unavailable where the engine shares no memory with this host */
export async function refreshSecretFiles(
  engine: Engine,
  owner: Owner,
  instance: string,
  { secretFiles, open }: { readonly secretFiles: readonly SecretFile[]; readonly open: OpenSecret },
): Promise<files.SecretFilesDir> {
  if (!engine.info.local)
    throw new SlipwayError(
      'isolation-unavailable',
      `The engine ${engine.name} is on another host, where files could only be given to a container on disk.`,
      { hint: 'Give the secrets as env there, or place the server on an engine of this host.' },
    );
  return files.refreshSecretFiles(ownerOf(owner), instance, secretFiles, open);
}

/** What an instance's files hold now. */
export const heldSecrets = (owner: Owner, instance: string): Promise<string[]> =>
  files.heldSecrets(ownerOf(owner), instance);

export const removeSecretFiles = (owner: Owner, instance: string): Promise<void> =>
  files.removeSecretFiles(ownerOf(owner), instance);

/** Removes what instances left that are no longer there: after a crash, say. @param kept names of instances that are */
export const sweepSecretFiles = (owner: Owner, kept: Iterable<string>): Promise<void> =>
  files.sweepSecretFiles(ownerOf(owner), kept);
