/** Tokens by their SHA-256: the way from a bearer token to a name. */
import { timingSafeEqual } from 'node:crypto';
import { grantOf, type Access, type Subject } from '../../schemas/access.ts';
import type { Principal } from '../../schemas/snapshot.ts';
import type { Directory } from './directory.ts';
import type { Identity } from './identity.ts';
import type { Usage, Use } from './usage.ts';

interface Known {
  /** Its hex digits. */
  readonly digest: Buffer;
  readonly identity: Identity;
  readonly use: Use;
}

/** What is compared with when nothing is known, so that a wrong token costs what a right one does. */
const NOBODY = Buffer.alloc(64);
/** What came, while it is compared. */
const given = Buffer.alloc(64);

export class Tokens {
  readonly #known = new Map<string, Known>();

  constructor(principals: readonly Principal[], directory: Directory, access: Access, usage: Usage) {
    for (const principal of principals) {
      const { name, sha256, previous, expiresAt } = principal;
      const subject = subjectOf(principal, directory);
      const identity = { key: `token:${name}`, kind: 'token', name, groups: subject.groups, subject } as const;
      const grant = grantOf(access, subject);
      const add = (hash: string, until: number | undefined): void => {
        const credential = hash.toLowerCase();
        const digest = Buffer.from(credential, 'latin1');
        const known = { ...identity, grant, expiresAt: until, credential };
        this.#known.set(credential, { digest, identity: known, use: usage.of(name) });
      };
      if (previous) add(previous.sha256, Math.min(previous.until, expiresAt ?? Infinity));
      add(sha256, expiresAt);
    }
  }

  /**
   * Timing attack: the look-up goes by digest, which a caller cannot steer byte by byte; the last word is constant-time,
   * and is had whether or not something was found.
   * @param hex SHA-256 of what the caller sent, in lower-case hex
   */
  find(hex: string): Identity | undefined {
    const known = this.#known.get(hex);
    const expected = known?.digest.length === given.length ? known.digest : NOBODY;
    given.write(hex, 'latin1');
    if (!timingSafeEqual(expected, given) || !known) return undefined;
    const now = Date.now();
    const { expiresAt } = known.identity;
    if (expiresAt === undefined || expiresAt > now) known.use.at = now;
    return known.identity;
  }

  /** The identity that a token still has which got in earlier. @param credential as {@link Identity.credential} */
  still(credential: string): Identity | undefined {
    return this.#known.get(credential)?.identity;
  }
}

/** Whom a Token stands for. */
export function subjectOf({ name, roles, scopes, projects, at }: Principal, directory: Directory): Subject {
  const groups = directory.groupsOfToken(name);
  return { kind: 'Token', name, groups, roles, scopes, ...(projects ? { projects } : {}), ...(at ? { at } : {}) };
}
