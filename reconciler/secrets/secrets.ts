/** Reads secret values where a Secret says they are: drivers when they start something, the gateway when it needs one. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import type { EnvEntry, SecretSource, SecretUse } from '../workload.ts';

const MAX_SECRET_BYTES = 1024 * 1024;

export interface OpenedEnv {
  readonly variables: Readonly<Record<string, string>>;
  /** The secret values among them, to be masked in whatever the program prints. */
  readonly secrets: readonly string[];
}

/** @throws SlipwayError secret-unavailable, naming the Secret and its key but nothing of its content */
export async function openEnv(entries: readonly EnvEntry[], env: NodeJS.ProcessEnv = process.env): Promise<OpenedEnv> {
  const variables: Record<string, string> = {};
  const secrets: string[] = [];
  for (const entry of entries) {
    if (!entry.secret) {
      variables[entry.name] = entry.value ?? '';
      continue;
    }
    const value = await openSecret(entry.secret, env);
    variables[entry.name] = value;
    secrets.push(value);
  }
  return { variables, secrets };
}

/** @throws SlipwayError secret-unavailable, naming the Secret and its key but nothing of its content */
export function openSecret({ secret, key, from }: SecretUse, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return valueOf(from, env).catch((error: unknown) => {
    throw new SlipwayError('secret-unavailable', `Secret ${secret}, key ${key}: ${reasonOf(error)}.`);
  });
}

async function valueOf(from: SecretSource, env: NodeJS.ProcessEnv): Promise<string> {
  if ('env' in from) {
    const value = env[from.env];
    if (value === undefined) throw new Error(`the environment variable ${from.env} is not set`);
    return value;
  }
  const path = from.file.startsWith('~/') ? join(homedir(), from.file.slice(2)) : from.file;
  const content = await readFile(path);
  if (content.byteLength > MAX_SECRET_BYTES) throw new Error('the file is over 1 MiB');
  return content.toString('utf8').replace(/\r?\n$/, '');
}

/** Errors of the file system name the path and the reason, never the content. */
function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'the file does not exist';
  if (code === 'EACCES') return 'the file may not be read';
  return code ?? (error as Error).message;
}
