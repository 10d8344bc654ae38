/** Tokens by their SHA-256: the way from a bearer token to a name. */
import { timingSafeEqual } from 'node:crypto';
import { grantOf, type Access, type Subject } from '../../schemas/access.ts';
import type { Principal } from '../../schemas/snapshot.ts';
import type { Identity } from './identity.ts';

interface Known {
  readonly digest: Buffer;
  readonly identity: Identity;
}

/** What is compared with when nothing is known, so that a wrong token costs what a right one does. */
const NOBODY = Buffer.alloc(32);

export class Tokens {
  readonly #known = new Map<string, Known>();

  constructor(principals: readonly Principal[], access: Access) {
    for (const { name, sha256, roles, scopes, projects, expiresAt } of principals) {
      const subject: Subject = {
        kind: 'Token',
        name,
        groups: [],
        roles,
        scopes,
        ...(projects ? { projects } : {}),
      };
      const credential = sha256.toLowerCase();
      this.#known.set(credential, {
        digest: Buffer.from(credential, 'hex'),
        identity: {
          key: `token:${name}`,
          kind: 'token',
          name,
          groups: subject.groups,
          subject,
          grant: grantOf(access, subject),
          expiresAt,
          credential,
        },
      });
    }
  }

  get size(): number {
    return this.#known.size;
  }

  /**
   * Timing attack: the look-up goes by digest, which a caller cannot steer byte by byte; the last word is constant-time,
   * and is had whether or not something was found.
   * @param digest SHA-256 of what the caller sent
   */
  find(digest: Buffer): Identity | undefined {
    const known = this.#known.get(digest.toString('hex'));
    const expected = known?.digest.length === digest.length ? known.digest : NOBODY;
    return timingSafeEqual(expected, digest) ? known?.identity : undefined;
  }

  /** The identity that a token still has which got in earlier. @param credential as {@link Identity.credential} */
  still(credential: string): Identity | undefined {
    return this.#known.get(credential)?.identity;
  }
}
