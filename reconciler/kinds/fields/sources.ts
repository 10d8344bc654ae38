/** Where the values of Secrets come from, as workloads and the snapshot say it: never the values. Pure. */
import { createHash } from 'node:crypto';
import { sopsValues, type SecretSpec } from '../../../schemas/kinds/secret.ts';
import type { Resource } from '../../../schemas/resource.ts';
import type { SecretSource } from '../../workload.ts';

/** Where a value of a Secret comes from, or nothing where it has no such key. */
export function sourceOf(resource: Resource, key: string): SecretSource | undefined {
  const { data = {}, encrypted = {} } = resource.spec as SecretSpec;
  const sops = sopsValues(resource as Resource<SecretSpec>);
  if (Object.hasOwn(data, key)) return data[key] as SecretSource;
  if (Object.hasOwn(encrypted, key)) return { sealed: encrypted[key]?.fingerprint ?? '' };
  return Object.hasOwn(sops, key) ? { sealed: idOf(sops[key] ?? '') } : undefined;
}

/** SOPS encrypts a value anew only when it changes, with another nonce each time: the hash of that tells nothing of it. */
export const idOf = (encrypted: string): string => createHash('sha256').update(encrypted).digest('hex');
