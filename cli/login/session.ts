/** What a log-in brought, kept good: tokens are renewed before they end, and given back at the end. */
import type { TokenEndpointResponse } from 'oauth4webapi';
import { SlipwayError } from '../../schemas/errors.ts';
import { entryOf, keep, locked, type Entry, type Session } from '../credentials.ts';
import type { Io } from '../io.ts';
import { codeOf, optionsFor, providerAt, type Journey } from './provider.ts';

type World = Pick<Io, 'env' | 'signal'>;

/** A new token is had this long before the old one ends (ms), or a fifth of its life before it. */
const AHEAD = 60_000;

/** @param before what the new tokens replace, or how they were asked for */
export function entryFrom(
  { access_token: token, refresh_token, expires_in: seconds }: TokenEndpointResponse,
  before: Session,
): Entry {
  const { issuer, clientId, resource } = before;
  const refreshToken = refresh_token ?? before.refreshToken;
  const life = seconds === undefined ? undefined : seconds * 1000;
  return {
    token,
    session: {
      issuer,
      clientId,
      resource,
      ...(refreshToken === undefined ? {} : { refreshToken }),
      ...(life === undefined
        ? {}
        : { freshUntil: Date.now() + life - Math.min(AHEAD, life / 5), expiresAt: Date.now() + life }),
    },
  };
}

export const sessionOf = ({ as, client, resource }: Journey): Session => ({
  issuer: as.issuer,
  clientId: client.client_id,
  resource,
});

/** Asked before every request: the token that is kept, renewed where it is about to end. */
export function keptToken(server: URL, io: World): () => Promise<string | undefined> {
  let held = entryOf(server, io.env);
  let flight: Promise<Entry | undefined> | undefined;
  return async () => {
    if (!isStale(held)) return held?.token;
    flight ??= renewed(server, io).finally(() => (flight = undefined));
    try {
      held = await flight;
    } catch (error) {
      // Whatever it is, the provider being away say, may be over before this one ends.
      if ((held?.session?.expiresAt ?? 0) <= Date.now()) throw error;
    }
    return held?.token;
  };
}

const isStale = (entry: Entry | undefined): boolean => (entry?.session?.freshUntil ?? Infinity) <= Date.now();

/**
 * One at a time, whoever asks: a refresh token is good once, and a provider that sees it twice takes it for stolen.
 * @throws SlipwayError `unauthorized` when somebody has to log in again, `authorization-failed` when the provider is away
 */
function renewed(server: URL, io: World): Promise<Entry | undefined> {
  return locked(io, async () => {
    const entry = entryOf(server, io.env);
    if (!entry?.session || !isStale(entry)) return entry;
    const { session } = entry;
    try {
      if (session.refreshToken === undefined) throw ended(server);
      const fresh = await refreshed(session, session.refreshToken, io.signal);
      keep(server, fresh, io.env);
      return fresh;
    } catch (error) {
      // Worth nothing any more: it is not shown there again.
      if (codeOf(error) === 'invalid_grant') {
        const { refreshToken: _, ...rest } = session;
        keep(server, { ...entry, session: rest }, io.env);
      }
      if (error instanceof SlipwayError) throw error;
      if (codeOf(error) !== undefined) throw ended(server, error);
      throw new SlipwayError('authorization-failed', `${session.issuer} gives no new token just now.`, {
        cause: error,
      });
    }
  });
}

const ended = (server: URL, cause?: unknown): SlipwayError =>
  new SlipwayError('unauthorized', `The log-in at ${server.origin} has ended.`, {
    hint: `Run: slipway login ${server.href.replace(/\/+$/, '')}`,
    cause,
  });

async function refreshed(session: Session, refreshToken: string, signal: AbortSignal): Promise<Entry> {
  const oauth = await import('oauth4webapi');
  const { issuer, clientId, resource } = session;
  const as = await providerAt(issuer, signal);
  const client = { client_id: clientId };
  const response = await oauth.refreshTokenGrantRequest(as, client, oauth.None(), refreshToken, {
    ...(await optionsFor(as, signal)),
    additionalParameters: { resource },
  });
  return entryFrom(await oauth.processRefreshTokenResponse(as, client, response), session);
}

/** RFC 7009: with the refresh token goes all that came of it. @returns whether the provider took it back */
export async function revoke({ token, session }: Entry, signal: AbortSignal): Promise<boolean> {
  if (!session) return false;
  const oauth = await import('oauth4webapi');
  try {
    const as = await providerAt(session.issuer, signal);
    if (as.revocation_endpoint === undefined) return false;
    const [which, kind] =
      session.refreshToken === undefined ? [token, 'access_token'] : [session.refreshToken, 'refresh_token'];
    const response = await oauth.revocationRequest(as, { client_id: session.clientId }, oauth.None(), which, {
      ...(await optionsFor(as, signal)),
      additionalParameters: { token_type_hint: kind },
    });
    await oauth.processRevocationResponse(response);
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
