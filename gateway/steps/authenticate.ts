/** Who is calling. */
import { hash } from 'node:crypto';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Identity } from '../auth/identity.ts';
import type { Exchange, Source } from '../exchange.ts';
import type { Generation } from '../snapshot.ts';

export type { Identity } from '../auth/identity.ts';

/**
 * The token itself is neither kept nor logged; what follows the pipeline is a name.
 * @throws SlipwayError `unauthorized`
 */
export function authenticate({ source, generation, request }: Exchange): Identity {
  const local = localUser(source, generation);
  if (local) return local;
  if (generation.tokens.size === 0) {
    // The last Token was removed while listening beyond this machine: closed to all rather than open to all.
    throw new SlipwayError('unauthorized', 'No Token exists.', {
      hint: 'Create one with `slipway token create`.',
    });
  }
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new SlipwayError('unauthorized');
  const identity = generation.tokens.find(hash('sha256', token, 'buffer'));
  if (!identity) throw new SlipwayError('unauthorized', 'The token is not known.');
  if (hasExpired(identity)) throw new SlipwayError('unauthorized', 'The token has expired.');
  return identity;
}

/** Whoever may open the unix socket, whom its mode 0600 has checked; anybody on this machine, while there is no Token to ask for. */
function localUser(source: Source, { tokens, socketUser, anonymous }: Generation): Identity | undefined {
  if (source.kind === 'unix') return socketUser;
  return source.loopback && tokens.size === 0 ? anonymous : undefined;
}

const hasExpired = ({ expiresAt }: Identity): boolean => expiresAt !== undefined && expiresAt <= Date.now();

/** The caller who got in earlier, if it still would: open streams are asked again after a swap and with time. */
export function stillKnown(generation: Generation, before: Identity, source: Source): Identity | undefined {
  const { credential } = before;
  if (credential === undefined) return localUser(source, generation);
  const identity = generation.tokens.still(credential);
  return identity && !hasExpired(identity) ? identity : undefined;
}
