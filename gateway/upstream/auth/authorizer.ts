/** All that it takes to get into servers, in one place: made with the gateway, and asked for each connection. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import type { Endpoint, Snapshot } from '../../../schemas/snapshot.ts';
import type { OpenSecret, UpstreamAuth } from '../../../schemas/upstream-auth.ts';
import { StaticAuthorization, type Authorization, type Challenge } from './authorization.ts';
import { introduce } from './client.ts';
import { Consents, type ConsentsOptions } from './consents.ts';
import { canonical, discoverResource, discoverServer } from './discovery.ts';
import { GrantAuthorization, type Grant } from './grants.ts';
import { guardedFetch, type Fetch } from './guarded-fetch.ts';
import { Holders } from './holders.ts';
import { OAuthAuthorization } from './oauth.ts';
import type { Tokens } from './tokens.ts';
import { Vault, type VaultOptions } from './vault.ts';

export interface AuthorizerOptions extends Pick<ConsentsOptions, 'base' | 'onGranted'> {
  readonly secrets: OpenSecret;
  /** Called when a consent was taken back here. */
  readonly onForgotten: (server: string, principal: string | undefined) => void;
  /** Absent: tokens are kept in memory only. */
  readonly vault?: VaultOptions | undefined;
  readonly log: Log;
}

/** Whom a connection is for, and what the config says of it. */
export interface Door<Auth = UpstreamAuth> {
  readonly server: string;
  readonly endpoint: Endpoint;
  readonly auth: Auth;
  /** `undefined`: everybody. */
  readonly principal: string | undefined;
}

type Of<Type extends UpstreamAuth['type']> = Extract<UpstreamAuth, { type: Type }>;
type Make = (door: Door<never>, fetch: Fetch) => Authorization;

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
/** Callers whose own tokens are at hand; the one that was not seen for the longest time is forgotten first. */
const MAX_PRESENTED = 10_000;
/** How long a shutdown waits for renewals that run (ms). */
const SETTLE = 5_000;
const ASKED: Challenge = { status: 401 };

/** Whether everybody comes with credentials of their own, and so has connections and lists of their own. */
export function isPersonal(auth: UpstreamAuth | undefined): boolean {
  return auth?.type === 'tokenExchange' || (auth?.type === 'oauth' && auth.perPrincipal);
}

export class Authorizer {
  readonly consents: Consents;
  readonly #options: AuthorizerOptions;
  readonly #vault: Vault;
  readonly #holders: Holders;
  readonly #flights = new Map<string, Promise<Tokens | undefined>>();
  /** By principal, the token that it last proved with who it is. In memory only. */
  readonly #presented = new Map<string, string>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
    this.#vault = new Vault(options.vault, options.log);
    this.#holders = new Holders(this.#vault);
    this.consents = new Consents({ ...options, vault: this.#vault, holders: this.#holders });
  }

  /** A caller is here, with a token of an identity provider that was verified. */
  present(principal: string, token: string): void {
    this.#presented.delete(principal);
    this.#presented.set(principal, token);
    const [oldest] = this.#presented.keys();
    if (this.#presented.size > MAX_PRESENTED && oldest !== undefined) this.#presented.delete(oldest);
  }

  /** A snapshot is in force. */
  follow(snapshot: Snapshot): void {
    this.#holders.follow(snapshot);
    this.consents.review();
  }

  /** Takes a consent back. @param principal `undefined`: the one that all share @returns whether there was one */
  forget(server: string, principal: string | undefined): boolean {
    const isForgotten = this.#holders.forget(server, principal);
    if (isForgotten) this.#options.onForgotten(server, principal);
    return isForgotten;
  }

  /** Resolves when no renewal runs: one whose answer nobody kept would cost a consent. Never rejects, nor takes long. */
  async settled(): Promise<void> {
    const late = new AbortController();
    const limit = sleep(SETTLE, undefined, { signal: late.signal }).catch(() => {});
    await Promise.race([Promise.allSettled(this.#flights.values()), limit]);
    late.abort();
  }

  /** How to get in there. */
  authorization(door: Door): Authorization {
    const make: Make = this.#ways[door.auth.type];
    return make(door as Door<never>, guardedFetch(door.endpoint.publicOnly ?? false));
  }

  readonly #ways: { readonly [Type in UpstreamAuth['type']]: (door: Door<Of<Type>>, fetch: Fetch) => Authorization } = {
    headers: ({ auth }) => new StaticAuthorization(auth.headers, this.#options.secrets),
    oauth: ({ server, endpoint, auth, principal }, fetch) => {
      const { secrets } = this.#options;
      const holder = { server, url: new URL(endpoint.address), principal: auth.perPrincipal ? principal : undefined };
      const { consents } = this;
      return new OAuthAuthorization(holder, auth, {
        vault: this.#vault,
        fetch,
        publicOnly: endpoint.publicOnly ?? false,
        secrets,
        consents,
        flights: this.#flights,
      });
    },
    clientCredentials: (door, fetch) =>
      this.#granted(door, fetch, async (challenge = ASKED) => {
        const { server, endpoint, auth } = door;
        const url = new URL(endpoint.address);
        const found = await discoverResource({ fetch, url, challenge, issuer: auth.issuer });
        const as = await discoverServer(fetch, found.issuer);
        // Nobody sees what is asked for: a server does not get its fingers on more than the config says.
        const scopes = auth.scopes?.join(' ') ?? challenge.scope ?? (found.scopes ?? []).join(' ');
        return {
          as,
          known: await this.#introduce(server, auth, fetch, as),
          type: 'client_credentials',
          parameters: { resource: found.resource, ...(scopes === '' ? {} : { scope: scopes }) },
        };
      }),
    tokenExchange: (door, fetch) =>
      this.#granted(door, fetch, async () => {
        const { server, endpoint, auth, principal = '' } = door;
        const token = this.#presented.get(principal);
        if (token === undefined)
          throw new SlipwayError('forbidden', `${server} is only for callers with a token of an identity provider.`);
        const as = await discoverServer(fetch, auth.issuer);
        return {
          as,
          known: await this.#introduce(server, auth, fetch, as),
          type: EXCHANGE,
          parameters: {
            // RFC 8693 §2.1: what the caller proved who it is with goes to the one issuer that the config names.
            subject_token: token,
            subject_token_type: ACCESS_TOKEN,
            requested_token_type: ACCESS_TOKEN,
            resource: canonical(new URL(endpoint.address)),
            ...(auth.audience === undefined ? {} : { audience: auth.audience }),
            ...(auth.scopes ? { scope: auth.scopes.join(' ') } : {}),
          },
        };
      }),
  };

  #granted(
    { auth }: Door<Of<'clientCredentials' | 'tokenExchange'>>,
    fetch: Fetch,
    grant: (challenge?: Challenge) => Promise<Grant>,
  ): Authorization {
    return new GrantAuthorization({ headers: auth.headers, secrets: this.#options.secrets, fetch, grant });
  }

  #introduce(
    key: string,
    registered: Of<'clientCredentials' | 'tokenExchange'>,
    fetch: Fetch,
    as: Grant['as'],
  ): Promise<Grant['known']> {
    const { secrets, base } = this.#options;
    return introduce({ as, registered, base: base(), key, vault: this.#vault, fetch, secrets });
  }
}
