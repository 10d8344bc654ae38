/** Who is calling. */
import { hash } from 'node:crypto';
import { SlipwayError } from '../../schemas/errors.ts';
import { looksLikeJwt } from '../auth/access-token.ts';
import type { Identity } from '../auth/identity.ts';
import { isUser, type UserIdentity } from '../auth/people.ts';
import { isAudience } from '../auth/resource.ts';
import type { Exchange, Source } from '../exchange.ts';
import type { Generation } from '../snapshot.ts';
import { only } from './origin.ts';

export type { Identity } from '../auth/identity.ts';

/**
 * The token itself is neither kept nor logged; what follows the pipeline is a name. Whoever is known already is told at
 * once; only the first request with a new access token waits.
 * @throws SlipwayError `unauthorized`, `bad-request`, `provider-unreachable`
 */
export function authenticate(exchange: Exchange): Identity | Promise<Identity> {
  const { source, generation, request } = exchange;
  refuseInQuery(exchange);
  const local = localUser(source, generation);
  if (local) return local;
  if (!generation.guarded) {
    // The last Token was removed while listening beyond this machine: closed to all rather than open to all.
    throw new SlipwayError('unauthorized', 'No Token exists.', {
      hint: 'Create one with `slipway token create`.',
    });
  }
  const token = bearer(only(request, 'authorization', 'unauthorized'));
  const hex = hash('sha256', token);
  const known = generation.tokens.find(hex) ?? generation.people.find(hex);
  if (known) return admit(known, exchange);
  if (!generation.people.any || !looksLikeJwt(token)) throw new SlipwayError('unauthorized', 'The token is not known.');
  // Signatures cost: an address that guessed too often waits before its next guess is looked at.
  exchange.state.addresses.checkGuesses(exchange);
  return generation.people.learn(hex, token).then((learnt) => admit(learnt, exchange));
}

/** @throws SlipwayError `unauthorized` that says what is wrong with the header */
function bearer(header: string | undefined): string {
  if (header === undefined) throw new SlipwayError('unauthorized', 'No token was given.');
  const token = /^bearer +([\w.~+/=-]+)$/i.exec(header)?.[1];
  if (token !== undefined) return token;
  throw new SlipwayError(
    'unauthorized',
    /^bearer( |$)/i.test(header) ? 'The Authorization header is malformed.' : 'The scheme must be Bearer.',
  );
}

function admit(identity: Identity | UserIdentity, exchange: Exchange): Identity {
  if (hasExpired(identity)) throw new SlipwayError('unauthorized', 'The token has expired.');
  if (isUser(identity) && !isAudience(identity.token, exchange))
    throw new SlipwayError('unauthorized', 'The token is for somebody else.', {
      hint: 'Ask the identity provider for one whose audience is this resource.',
    });
  return identity;
}

/** A token in a URL ends up in logs, histories and Referer headers (RFC 6750 §5.3); whoever sent one should hear of it. */
function refuseInQuery({ request: { url = '' }, path }: Exchange): void {
  if (url.length > path.length && /[?&]access_token=/i.test(url))
    throw new SlipwayError('bad-request', 'A token must not stand in the URL.', {
      hint: 'Send Authorization: Bearer <token>.',
    });
}

/**
 * Whoever may open the unix socket, whom its mode 0600 has checked; anybody on this machine, while nobody needs to say
 * who they are.
 */
function localUser(source: Source, { guarded, socketUser, anonymous }: Generation): Identity | undefined {
  if (source.kind === 'unix') return socketUser;
  return source.loopback && !guarded ? anonymous : undefined;
}

const hasExpired = ({ expiresAt }: Identity): boolean => expiresAt !== undefined && expiresAt <= Date.now();

/** The caller who got in earlier, if it still would: open streams are asked again after a swap and with time. */
export function stillKnown(generation: Generation, before: Identity, source: Source): Identity | undefined {
  const { credential } = before;
  if (credential === undefined) return localUser(source, generation);
  const identity = isUser(before) ? generation.people.still(before) : generation.tokens.still(credential);
  return identity && !hasExpired(identity) ? identity : undefined;
}
