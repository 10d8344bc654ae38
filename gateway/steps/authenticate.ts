/** Who is calling. */
import { hash, timingSafeEqual } from 'node:crypto';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Principal } from '../../schemas/snapshot.ts';
import type { Exchange, Source } from '../exchange.ts';

/** The caller, as the rest of the pipeline sees it. */
export interface Identity {
  /** Names the caller in session ids; a token can never take the local user's. */
  readonly key: string;
  readonly kind: 'token' | 'socket' | 'anonymous';
  /** Absent: everything. */
  readonly projects?: readonly string[];
}

/** The caller on the unix socket, whom the file's mode 0600 has checked. */
const socketUser: Identity = { key: 'local', kind: 'socket' };
/** Anybody on this machine, while no Token exists. */
const anonymous: Identity = { key: 'local', kind: 'anonymous' };

interface Known {
  readonly digest: Buffer;
  readonly expiresAt: number | undefined;
  readonly identity: Identity;
}

/** Principals by the SHA-256 of their token, in lower-case hex. */
export type Principals = ReadonlyMap<string, Known>;

export function indexPrincipals(principals: readonly Principal[]): Principals {
  return new Map(
    principals.map(({ name, sha256, projects, expiresAt }) => {
      const identity: Identity = { key: `token:${name}`, kind: 'token', ...(projects ? { projects } : {}) };
      return [sha256.toLowerCase(), { digest: Buffer.from(sha256, 'hex'), expiresAt, identity }];
    }),
  );
}

/**
 * The token itself is neither kept nor logged; what follows the pipeline is a name.
 * @throws SlipwayError `unauthorized`
 */
export function authenticate({ source, generation, request }: Exchange): Identity {
  const { principals } = generation;
  const local = localUser(source, principals);
  if (local) return local;
  if (principals.size === 0) {
    // The last Token was removed while listening beyond this machine: closed to all rather than open to all.
    throw new SlipwayError('unauthorized', 'No Token exists.', {
      hint: 'Create one with `slipway token create`.',
    });
  }
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new SlipwayError('unauthorized');
  return identify(principals, token);
}

/** Timing attack: the look-up goes by digest, which a caller cannot steer byte by byte; the last word is constant-time. */
function identify(principals: Principals, token: string): Identity {
  const digest = hash('sha256', token, 'buffer');
  const known = principals.get(digest.toString('hex'));
  if (!known || known.digest.length !== digest.length || !timingSafeEqual(known.digest, digest))
    throw new SlipwayError('unauthorized', 'The token is not known.');
  if (known.expiresAt !== undefined && known.expiresAt <= Date.now())
    throw new SlipwayError('unauthorized', 'The token has expired.');
  return known.identity;
}

/** Whoever may open the unix socket; anybody on this machine, while there is no Token to ask for. */
function localUser(source: Source, principals: Principals): Identity | undefined {
  if (source.kind === 'unix') return socketUser;
  return source.loopback && principals.size === 0 ? anonymous : undefined;
}

/** The caller who got in earlier, if it still would: open streams are asked again after a swap and with time. */
export function stillKnown(principals: Principals, key: string, source: Source): Identity | undefined {
  const local = localUser(source, principals);
  if (key === 'local') return local;
  for (const { identity, expiresAt } of principals.values())
    if (identity.key === key && (expiresAt === undefined || expiresAt > Date.now())) return identity;
  return undefined;
}
