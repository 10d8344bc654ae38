/** The public keys of an identity provider: found, cached, rotated, and kept for a while when it is gone. */
import type { JWTVerifyGetKey, JSONWebKeySet } from 'jose';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import type { Provider } from '../../schemas/snapshot.ts';
import { fetchJson } from './fetch-json.ts';

type Source = Pick<Provider, 'name' | 'issuer' | 'jwksUri' | 'publicOnly' | 'keys'>;

/** What is asked for is the same, so keys can be shared. */
export const sourceKey = ({ issuer, jwksUri, publicOnly, keys }: Source): string =>
  JSON.stringify([issuer, jwksUri, publicOnly, keys]);

export class Keys {
  readonly #source: Source;
  readonly #log: Log;
  #find: JWTVerifyGetKey | undefined;
  /** When the keys were had, and when they were last asked for (`performance.now()`). */
  #had = -Infinity;
  #asked = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(source: Source, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /**
   * The key that a token's header names. Does not wait for the provider while there are keys that may be used.
   * @throws SlipwayError `provider-unreachable`; what jose throws where no key fits
   */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const known = await this.#usable();
    try {
      return await known(header, token);
    } catch (error) {
      // Keys are rotated. A flood of tokens that name made-up keys must not become a flood of questions.
      if (!isUnknownKey(error) || this.#coolsDown) throw error;
      await this.#refresh();
      return (this.#find ?? known)(header, token);
    }
  };

  /** Asks the provider again, unless it was asked a moment ago. @returns whether it was asked */
  async renewed(): Promise<boolean> {
    if (this.#coolsDown) return false;
    await this.#refresh();
    return true;
  }

  async #usable(): Promise<JWTVerifyGetKey> {
    const { refreshMs, keepMs } = this.#source.keys;
    const age = performance.now() - this.#had;
    if (this.#find && age <= refreshMs) return this.#find;
    const refreshed = this.#coolsDown ? this.#asking : this.#refresh();
    if (this.#find && age <= keepMs) return this.#find;
    await refreshed;
    if (this.#find && performance.now() - this.#had <= keepMs) return this.#find;
    throw new SlipwayError('provider-unreachable');
  }

  get #coolsDown(): boolean {
    return performance.now() - this.#asked < this.#source.keys.cooldownMs;
  }

  /** Many may wait for the one question. Never rejects: the keys of before go on, and the log says why. */
  #refresh(): Promise<void> {
    this.#asked = performance.now();
    this.#asking ??= this.#ask()
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#log('warn', 'the keys of an identity provider cannot be had', { provider: this.#source.name, reason });
      })
      .finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const { publicOnly, jwksUri = await this.#discover() } = this.#source;
    const keys = (await fetchJson(new URL(jwksUri), publicOnly)) as JSONWebKeySet;
    const { createLocalJWKSet } = await import('jose');
    this.#find = createLocalJWKSet(keys);
    this.#had = performance.now();
  }

  /**
   * The provider's metadata: OpenID Connect Discovery 1.0 §4, RFC 8414 §3.1, and OpenID's with the path at the end, in
   * the order in which they are usual. An issuer without a path has one URL less.
   */
  async #discover(): Promise<string> {
    const { issuer, publicOnly } = this.#source;
    const { origin, pathname } = new URL(issuer);
    const path = pathname.replace(/\/$/, '');
    const places = new Set([
      `${origin}${path}/.well-known/openid-configuration`,
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}/.well-known/openid-configuration${path}`,
    ]);
    const reasons: string[] = [];
    for (const place of places) {
      try {
        return jwksUriIn(await fetchJson(new URL(place), publicOnly), issuer);
      } catch (error) {
        reasons.push((error as Error).message);
      }
    }
    throw new Error(reasons.join('; '));
  }
}

/** Mix-up: metadata that names another issuer belongs to somebody else (RFC 8414 §3.3). */
export function jwksUriIn(metadata: unknown, issuer: string): string {
  const { issuer: named, jwks_uri: uri } = (metadata ?? {}) as Record<string, unknown>;
  if (named !== issuer) throw new Error('its metadata names another issuer');
  if (typeof uri !== 'string' || !URL.canParse(uri)) throw new Error('its metadata has no jwks_uri');
  // Downgrade: whoever is on the way could answer with keys of their own.
  if (issuer.startsWith('https:') && !uri.startsWith('https:')) throw new Error('its jwks_uri is not https');
  return uri;
}

const isUnknownKey = (error: unknown): boolean => (error as { code?: unknown }).code === 'ERR_JWKS_NO_MATCHING_KEY';
