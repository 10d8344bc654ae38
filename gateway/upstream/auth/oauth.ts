/** OAuth 2.1 with a person's consent: what is sent, when it is renewed, and when a person must be asked (again). */
import type { Client } from 'oauth4webapi';
import type { OpenSecret, UpstreamAuth } from '../../../schemas/upstream-auth.ts';
import { SlipwayError } from '../../../schemas/errors.ts';
import { NotDelivered } from '../link.ts';
import { openHeaders, type Authorization, type Challenge, type Credentials } from './authorization.ts';
import { codeOf, forget, introduce } from './client.ts';
import type { Consents } from './consents.ts';
import { discoverServer } from './discovery.ts';
import type { Fetch } from './guarded-fetch.ts';
import { NeedsAuthorization } from './needs.ts';
import { asTokens, tokensFrom, words, type Tokens } from './tokens.ts';
import { onShelf, type Vault } from './vault.ts';

/** How often a server may ask for more scopes, one consent after the other. */
const MAX_STEPS = 3;
/** What an authorization server says of a refresh token that is worth nothing any more, or nothing to this client. */
const GONE: ReadonlySet<unknown> = new Set(['invalid_grant', 'unauthorized_client']);

export type OAuthSpec = Extract<UpstreamAuth, { type: 'oauth' }>;

/** Whose tokens for which server; whoever has the same, has the same tokens. */
export interface Holder {
  readonly server: string;
  /** Its address: a token for one is never sent to another, whatever the config calls it. */
  readonly url: URL;
  /** `undefined`: all. */
  readonly principal: string | undefined;
}

/**
 * Where the tokens for one way into one server lie. Whatever changes of it leaves them behind: to an issuer of yesterday
 * nobody shows the client secret of today.
 */
export function shelfOf({ server, url }: Omit<Holder, 'principal'>, { issuer, clientId }: OAuthSpec): string {
  return `tokens ${JSON.stringify([server, url.href, issuer ?? null, clientId ?? null])}`;
}

export interface OAuthParts {
  readonly vault: Vault;
  readonly fetch: Fetch;
  readonly publicOnly: boolean;
  readonly secrets: OpenSecret;
  readonly consents: Consents;
  /** Renewals that run. */
  readonly flights: Map<string, Promise<Tokens | undefined>>;
}

export class OAuthAuthorization implements Authorization {
  readonly #holder: Holder;
  readonly #spec: OAuthSpec;
  readonly #parts: OAuthParts;
  readonly #key: string;

  constructor(holder: Holder, spec: OAuthSpec, parts: OAuthParts) {
    this.#holder = holder;
    this.#spec = spec;
    this.#parts = parts;
    this.#key = onShelf(shelfOf(holder, spec), holder.principal ?? '');
  }

  async credentials(): Promise<Credentials> {
    const { secrets } = this.#parts;
    const headers = await openHeaders(this.#spec.headers, secrets);
    const held = this.#tokens;
    if (!held) return { headers };
    const { accessToken: token } = await this.#fresh(held);
    return { headers: { ...headers, authorization: `Bearer ${token}` }, token };
  }

  async refused(challenge: Challenge, { token }: Credentials, last: boolean): Promise<void> {
    const tokens = this.#tokens;
    if (challenge.status === 403) throw this.#wantsMore(challenge, tokens);
    // Somebody else's request has had a new one meanwhile.
    if (tokens && tokens.accessToken !== token && !last) return;
    if (tokens?.refreshToken !== undefined && !last && (await this.#renew(tokens))) return;
    // It is not thrown away: one server that stumbles would cost everybody's consent.
    throw this.#needs(challenge, tokens?.scopes ?? [], tokens?.steps ?? 0, 'Somebody must give their consent first');
  }

  get #tokens(): Tokens | undefined {
    return asTokens(this.#parts.vault.read(this.#key));
  }

  async #fresh(tokens: Tokens): Promise<Tokens> {
    const { freshUntil = Infinity, expiresAt = Infinity, refreshToken } = tokens;
    if (freshUntil > Date.now() || refreshToken === undefined) return tokens;
    try {
      return (await this.#renew(tokens)) ?? tokens;
    } catch (error) {
      if (expiresAt > Date.now()) return tokens;
      throw error;
    }
  }

  /** A step up is asked for once: who consented to it all, and is refused still, is refused. */
  #wantsMore({ scope = '', ...challenge }: Challenge, tokens: Tokens | undefined): SlipwayError {
    const { scopes = [], steps = 0 } = tokens ?? {};
    const wanted = words(scope).filter((each) => !scopes.includes(each));
    if (tokens && (wanted.length === 0 || steps >= MAX_STEPS))
      return new SlipwayError('upstream-unauthorized', 'The server refuses this although all it asked for was given.');
    return this.#needs({ ...challenge, scope }, scopes, steps + 1, 'It takes more than was consented to so far');
  }

  #needs(challenge: Challenge, scopes: readonly string[], steps: number, why: string): NeedsAuthorization {
    const { server, principal } = this.#holder;
    const { consents, fetch, publicOnly } = this.#parts;
    return new NeedsAuthorization(`${server}: ${why}.`, principal === undefined, (signal) =>
      consents.begin(
        { holder: this.#holder, spec: this.#spec, key: this.#key, fetch, publicOnly, challenge, scopes, steps },
        signal,
      ),
    );
  }

  /** One renewal at a time, however many wait for it. @returns `undefined` if a person must be asked */
  #renew(tokens: Tokens): Promise<Tokens | undefined> {
    const now = this.#tokens;
    if (now && now.accessToken !== tokens.accessToken) return Promise.resolve(now);
    const { flights } = this.#parts;
    const running = flights.get(this.#key);
    if (running) return running;
    const flight = this.#ask(tokens).finally(() => flights.delete(this.#key));
    flights.set(this.#key, flight);
    return flight;
  }

  /** Whether a consent has brought others meanwhile, or they were forgotten: a renewal undoes neither. */
  #replaced({ accessToken }: Tokens): boolean {
    return this.#tokens?.accessToken !== accessToken;
  }

  async #ask(tokens: Tokens): Promise<Tokens | undefined> {
    const { vault, fetch, secrets } = this.#parts;
    const oauth = await import('oauth4webapi');
    const { issuer, base, resource, refreshToken = '' } = tokens;
    let client: Client | undefined;
    try {
      const as = await discoverServer(fetch, issuer);
      const known = await introduce({
        as,
        base,
        vault,
        fetch,
        secrets,
        registered: this.#spec,
        key: this.#holder.server,
      });
      ({ client } = known);
      const response = await oauth.refreshTokenGrantRequest(as, client, known.auth, refreshToken, {
        [oauth.customFetch]: fetch,
        [oauth.allowInsecureRequests]: true,
        additionalParameters: { resource },
      });
      const renewed = tokensFrom(await oauth.processRefreshTokenResponse(as, client, response), tokens);
      if (this.#replaced(tokens)) return this.#tokens;
      vault.write(this.#key, renewed);
      return renewed;
    } catch (cause) {
      const error = codeOf(cause);
      // A secret in the config that is wrong for a while costs nobody's consent.
      const gone = error === 'invalid_client' ? forget({ vault, issuer, base, client }) : GONE.has(error);
      if (this.#replaced(tokens)) return this.#tokens;
      if (!gone) throw new NotDelivered('Its authorization server gives no new token just now.', cause);
      const { refreshToken: _, ...rest } = tokens;
      vault.write(this.#key, rest);
      return undefined;
    }
  }
}
