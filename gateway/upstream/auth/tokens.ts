/** Tokens that a person's consent brought, as they are kept, and for how long they are good. */
import type { TokenEndpointResponse } from 'oauth4webapi';

export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken?: string;
  /** Unix time (ms) from which on a new one is had, and from which on this one is worth nothing. */
  readonly freshUntil?: number;
  readonly expiresAt?: number;
  readonly issuer: string;
  /** Where the gateway was reached from outside: with it goes the client that the tokens are for. */
  readonly base: string;
  /** What they are for. */
  readonly resource: string;
  /** The scopes that were asked for, all in all. */
  readonly scopes: readonly string[];
  /** How often more was asked for, so that a server that is never content is not asked for ever. */
  readonly steps: number;
}

/** A new token is had this long before the old one ends (ms), or a fifth of its life before it. */
const AHEAD = 60_000;

/** @param expiresIn seconds @returns unix time (ms); `undefined` for what does not end */
export function freshUntil(expiresIn: number | undefined): number | undefined {
  if (expiresIn === undefined) return undefined;
  const life = expiresIn * 1000;
  return Date.now() + life - Math.min(AHEAD, life / 5);
}

/** @param before what they replace, or how they were asked for */
export function tokensFrom(
  { access_token, refresh_token, expires_in }: TokenEndpointResponse,
  { issuer, base, resource, scopes, steps, refreshToken: old }: Omit<Tokens, 'accessToken'>,
): Tokens {
  const refreshToken = refresh_token ?? old;
  const fresh = freshUntil(expires_in);
  return {
    issuer,
    base,
    resource,
    scopes,
    steps,
    accessToken: access_token,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(fresh === undefined ? {} : { freshUntil: fresh, expiresAt: Date.now() + Number(expires_in) * 1000 }),
  };
}

/** `undefined` for anything that is not a set of tokens. */
export function asTokens(value: unknown): Tokens | undefined {
  const { accessToken, issuer, scopes } = (value ?? {}) as Partial<Tokens>;
  const whole = typeof accessToken === 'string' && typeof issuer === 'string' && Array.isArray(scopes);
  return whole ? (value as Tokens) : undefined;
}

/** The scopes in a list as OAuth writes it. */
export function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}
