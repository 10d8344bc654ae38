/** Reads secret values where a Secret says they are: drivers when they start something, the gateway when it needs one. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import type { EnvEntry, SecretUse } from '../workload.ts';
import { open } from './age.ts';
import { readIdentities } from './identities.ts';
import { findSealed } from './sealed.ts';
import { openSops } from './sops/open.ts';
import { Unavailable } from './unavailable.ts';

const MAX_SECRET_BYTES = 1024 * 1024;

export interface OpenedEnv {
  readonly variables: Readonly<Record<string, string>>;
  /** The secret values among them, to be masked in whatever the program prints. */
  readonly secrets: readonly string[];
}

/** @throws SlipwayError secret-unavailable, naming the Secret and its key but nothing of its content */
export async function openEnv(entries: readonly EnvEntry[], openSecret: OpenSecret): Promise<OpenedEnv> {
  const variables: Record<string, string> = {};
  const secrets: string[] = [];
  for (const entry of entries) {
    if (!entry.secret) {
      variables[entry.name] = entry.value ?? '';
      continue;
    }
    const value = await openSecret(entry.secret);
    variables[entry.name] = value;
    secrets.push(value);
  }
  return { variables, secrets };
}

/** Where encrypted values are kept: paths of the state directory. */
export interface SecretPlaces {
  readonly sealed: string;
  readonly blobs: string;
}

/** @returns what throws SlipwayError secret-unavailable, naming the Secret and its key but nothing of its content */
export function secretOpener(places: SecretPlaces, env: NodeJS.ProcessEnv = process.env): OpenSecret {
  return (use) =>
    valueOf(use, places, env).catch((error: unknown) => {
      const hint = error instanceof Unavailable ? error.hint : undefined;
      const message = `Secret ${use.secret}, key ${use.key}: ${reasonOf(error)}.`;
      throw new SlipwayError('secret-unavailable', message, hint === undefined ? {} : { hint });
    });
}

/** How long a decrypted value is remembered (ms). Which value it is, its fingerprint says: there is no newer one under that. */
const REMEMBERED_MS = 60_000;

/** For whoever needs values with each request: decrypting takes a millisecond. What is read from elsewhere is read each time. */
export function remembering(opener: OpenSecret): OpenSecret {
  const known = new Map<string, { readonly value: Promise<string>; readonly until: number }>();
  return (use) => {
    if (!('sealed' in use.from)) return opener(use);
    const [key, now] = [JSON.stringify(use), performance.now()];
    for (const [old, { until }] of known) if (until < now) known.delete(old);
    const found = known.get(key) ?? { value: opener(use), until: now + REMEMBERED_MS };
    known.set(key, found);
    // A failure is looked at again: somebody may have mended it.
    found.value.catch(() => known.delete(key));
    return found.value;
  };
}

async function valueOf(use: SecretUse, places: SecretPlaces, env: NodeJS.ProcessEnv): Promise<string> {
  const { from } = use;
  if ('sealed' in from) return unseal(use, from.sealed, places, env);
  if ('env' in from) {
    const value = env[from.env];
    if (value === undefined) throw new Unavailable(`the environment variable ${from.env} is not set`);
    return value;
  }
  const path = from.file.startsWith('~/') ? join(homedir(), from.file.slice(2)) : from.file;
  const content = await readFile(path);
  if (content.byteLength > MAX_SECRET_BYTES) throw new Unavailable('the file is over 1 MiB');
  return content.toString('utf8').replace(/\r?\n$/, '');
}

async function unseal(use: SecretUse, id: string, places: SecretPlaces, env: NodeJS.ProcessEnv): Promise<string> {
  const lies = findSealed({ ...use, id }, places.sealed);
  const identities = await readIdentities(env);
  if (lies.type === 'age') return (await open({ age: lies.age, fingerprint: id }, use, identities)).value;
  const text = await readFile(join(places.blobs, lies.blob), 'utf8');
  return openSops({ file: lies.file, text }, use.key, identities);
}

/** Errors of the file system name the path and the reason, never the content; of others, nothing is known. */
function reasonOf(error: unknown): string {
  if (error instanceof Unavailable) return error.message;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'the file does not exist';
  if (code === 'EACCES') return 'the file may not be read';
  return code ?? 'it cannot be read';
}
