/** Tokens that `slipway login` keeps, by the gateway they are for. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { SlipwayError } from '../schemas/errors.ts';
import type { Io } from './io.ts';
import { takeLock } from './write/lock.ts';

/** How a token of an identity provider came about, and how the next one does. Times are unix times in ms. */
const session = z.object({
  issuer: z.string(),
  clientId: z.string(),
  resource: z.string(),
  refreshToken: z.string().optional(),
  /** From when on a new one is had, and from when on this one is worth nothing. */
  freshUntil: z.number().optional(),
  expiresAt: z.number().optional(),
});
const entry = z.object({ token: z.string().min(1), session: session.optional() });
const schema = z.object({ servers: z.record(z.string(), entry) });

export type Session = Readonly<z.output<typeof session>>;
export type Entry = Readonly<z.output<typeof entry>>;
type Credentials = z.output<typeof schema>;

/** `$XDG_CONFIG_HOME/slipway/credentials.json` (XDG Base Directory Specification). */
export function credentialsPath(env: NodeJS.ProcessEnv): string {
  const home = env['XDG_CONFIG_HOME'];
  return join(home?.startsWith('/') ? home : join(env['HOME'] ?? homedir(), '.config'), 'slipway', 'credentials.json');
}

/** What is kept for a gateway. @throws SlipwayError `invalid-value` for a file that is unsafe or broken */
export function entryOf(server: URL, env: NodeJS.ProcessEnv): Entry | undefined {
  return read(credentialsPath(env)).servers[keyOf(server)];
}

/** Whoever changes the file has it alone. @throws SlipwayError `conflict`, `state-unwritable` */
export async function locked<T>({ env, signal }: Pick<Io, 'env' | 'signal'>, change: () => Promise<T> | T): Promise<T> {
  using _ = await takeLock(`${credentialsPath(env)}.lock`, signal);
  return await change();
}

/** For whoever has the lock. */
export function keep(server: URL, kept: Entry, env: NodeJS.ProcessEnv): void {
  const path = credentialsPath(env);
  const { servers } = read(path);
  write(path, { servers: { ...servers, [keyOf(server)]: kept } });
}

/** For whoever has the lock. @returns what was kept */
export function forget(server: URL, env: NodeJS.ProcessEnv): Entry | undefined {
  const path = credentialsPath(env);
  const { [keyOf(server)]: kept, ...servers } = read(path).servers;
  if (kept) write(path, { servers });
  return kept;
}

/** All gateways that a token is kept for. */
export function known(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(read(credentialsPath(env)).servers);
}

/** A gateway may live below a path; what a client asks for there begins with it. */
function keyOf({ origin, pathname }: URL): string {
  return origin + pathname.replace(/\/+$/, '');
}

function read(path: string): Credentials {
  if (!existsSync(path)) return { servers: {} };
  // Whoever can read it can do what its owner can.
  if ((statSync(path).mode & 0o077) !== 0)
    throw new SlipwayError('invalid-value', `Others may read ${path}.`, { hint: `Run: chmod 600 ${path}` });
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    throw new SlipwayError('invalid-value', `${path} is damaged.`, { hint: 'Remove it and log in again.' });
  }
}

/** Whole or not at all, and never readable by others, not even for a moment. */
function write(path: string, credentials: Credentials): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}
