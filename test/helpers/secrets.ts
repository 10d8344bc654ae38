/** Secrets in tests: opened where they are, and encrypted with keys that are made for the moment. */
import { writeFileSync } from 'node:fs';
import { generateKey } from '../../reconciler/secrets/age.ts';
import { secretOpener } from '../../reconciler/secrets/secrets.ts';

/** Opens what comes from the environment or from files. */
export const openPlain = secretOpener({ sealed: '/nowhere', blobs: '/nowhere' });

export interface KeyFile {
  readonly path: string;
  readonly recipient: string;
  readonly identity: string;
}

/** A new age key in a file of this user alone. */
export async function keyFile(path: string, mode = 0o600): Promise<KeyFile> {
  const key = await generateKey();
  writeFileSync(path, `# a comment\n${key.identity}\n`, { mode });
  return { path, ...key };
}
