/** Whom a request comes from, as everything after authentication sees it. */
import { grantOf, LOCAL, type Access, type Grant, type Subject } from '../../schemas/access.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';

export interface Identity {
  /** Names the caller in sessions, limits and audit: `token:ci`, `user:ada`, `local`. None can take another's. */
  readonly key: string;
  readonly kind: 'token' | 'user' | 'socket' | 'anonymous';
  /** Of the Token or User; `local` for whoever needs neither. */
  readonly name: string;
  /** Names of the Groups it is in. */
  readonly groups: readonly string[];
  readonly subject: Subject;
  /** What it may do, under the snapshot that the request began with. */
  readonly grant: Grant;
  /** Unix time (ms) from which on the credential is worth nothing. */
  readonly expiresAt?: number | undefined;
  /** SHA-256 of the credential, in lower-case hex; absent where none was needed. */
  readonly credential?: string;
}

/** The user of this machine, who needs no credential. */
export function localIdentity(kind: 'socket' | 'anonymous', access: Access): Identity {
  return { key: 'local', kind, name: 'local', groups: [], subject: LOCAL, grant: grantOf(access, LOCAL) };
}

/** The keys of all whom the config names: its Tokens and Users. */
export function namedIn({ principals, users }: Snapshot): Set<string> {
  return new Set([...principals.map(({ name }) => `token:${name}`), ...users.map(({ name }) => `user:${name}`)]);
}

/** Whether nobody of that key can come any more. A user whose name has a colon is its provider’s to know, not the config’s. */
export function isGone(key: string, named: ReadonlySet<string>): boolean {
  return /^(token|user):[^:]+$/.test(key) && !named.has(key);
}
