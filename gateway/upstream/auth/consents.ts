/** People who are on their way to give their consent: who was sent where, and what they come back with. */
import { randomBytes } from 'node:crypto';
import type { AuthorizationServer } from 'oauth4webapi';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { OpenSecret } from '../../../schemas/upstream-auth.ts';
import type { Challenge } from './authorization.ts';
import { CALLBACK_PATH, codeOf, forget, introduce, isLocal, wordsOf, type KnownClient } from './client.ts';
import { discoverResource, discoverServer, type Protected } from './discovery.ts';
import type { Fetch } from './guarded-fetch.ts';
import type { Holders } from './holders.ts';
import type { Consent } from './needs.ts';
import type { Holder, OAuthSpec } from './oauth.ts';
import { tokensFrom, words } from './tokens.ts';
import type { Vault } from './vault.ts';

/** How long a person may take (ms). */
const PATIENCE = 15 * 60_000;
/** Bounds the memory that those who never come back take; the oldest is forgotten first. */
const MAX_WAITING = 1_000;
/** The same for one holder of tokens, who has other journeys only if the server asks for something else each time. */
const MAX_EACH = 5;

/** What a consent is wanted for. */
export interface Wanted {
  readonly holder: Holder;
  readonly spec: OAuthSpec;
  /** Where the tokens go. */
  readonly key: string;
  readonly challenge: Challenge;
  readonly fetch: Fetch;
  /** Whether all of it has to be in the Internet, and encrypted. */
  readonly publicOnly: boolean;
  /** Scopes that were asked for before. */
  readonly scopes: readonly string[];
  readonly steps: number;
}

export interface ConsentsOptions {
  readonly vault: Vault;
  readonly secrets: OpenSecret;
  /** How the gateway is reached from outside, without a final slash. */
  readonly base: () => string;
  readonly holders: Holders;
  /** Called when there are new tokens. */
  readonly onGranted: (holder: Holder, consentId: string) => void;
}

/** One person on their way. Knows all that must be the same when they come back. */
interface Journey {
  /** The same for whoever may have the same address. */
  readonly asked: string;
  readonly wanted: Wanted;
  readonly consent: Consent;
  readonly as: AuthorizationServer;
  readonly known: KnownClient;
  readonly verifier: string;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly base: string;
  /** Unix time in ms. */
  readonly expires: number;
}

/** How a journey ended, in words for the person's browser. */
export interface Arrival {
  readonly ok: boolean;
  readonly server?: string;
  readonly principal?: string | undefined;
  readonly text: string;
}

const failed = (message: string, cause?: unknown): SlipwayError =>
  new SlipwayError('authorization-failed', message, { cause });

export class Consents {
  readonly #options: ConsentsOptions;
  readonly #journeys = new Map<string, Journey>();
  /** Those that are about to begin. */
  readonly #planning = new Map<string, Promise<Consent>>();

  constructor(options: ConsentsOptions) {
    this.#options = options;
  }

  /**
   * Where a person can consent. Whoever asks again soon gets the same address.
   * @throws SlipwayError `authorization-failed`, `secret-unavailable`
   */
  async begin(wanted: Wanted, signal: AbortSignal): Promise<Consent> {
    this.#sweep();
    const asked = JSON.stringify([wanted.key, wanted.challenge, wanted.scopes]);
    const soon = Date.now() + PATIENCE / 2;
    for (const other of this.#journeys.values())
      if (other.asked === asked && other.expires > soon) return other.consent;
    let planning = this.#planning.get(asked);
    if (!planning) {
      planning = this.#set(asked, wanted, signal).finally(() => this.#planning.delete(asked));
      this.#planning.set(asked, planning);
    }
    return planning;
  }

  async #set(asked: string, wanted: Wanted, signal: AbortSignal): Promise<Consent> {
    const state = randomBytes(32).toString('base64url');
    const journey = { ...(await this.#plan(wanted, state, signal)), asked };
    this.#checkWanted(wanted);
    // A server that asks for something else each time fills no memory, however many calls it is asked by at once.
    const others = [...this.#journeys].filter(([, other]) => other.wanted.key === wanted.key);
    if (others.length >= MAX_EACH) this.#journeys.delete(others[0]?.[0] ?? '');
    this.#journeys.set(state, journey);
    return journey.consent;
  }

  /** The config has changed: nobody is waited for any more who set out as, or for, what it does not have now. */
  review(): void {
    for (const [state, { wanted }] of this.#journeys)
      if (!this.#options.holders.has(wanted.holder, wanted.spec)) this.#journeys.delete(state);
  }

  #checkWanted({ holder, spec }: Wanted): void {
    if (!this.#options.holders.has(holder, spec))
      throw failed('It is not asked for any more: the config has changed meanwhile.');
  }

  /**
   * Takes somebody in who comes back. The state names who set out: it is random, known to nobody else, and good for
   * once, so nobody can bring in a code of their own in another's name (login CSRF), nor the same one twice.
   */
  async arrive(parameters: URLSearchParams): Promise<Arrival> {
    this.#sweep();
    const state = parameters.get('state') ?? '';
    const journey = this.#journeys.get(state);
    this.#journeys.delete(state);
    if (!journey) return { ok: false, text: 'Nobody is waited for here any more. Call the tool again for a new link.' };
    const { server, principal } = journey.wanted.holder;
    const about = { server, principal };
    try {
      await this.#redeem(journey, parameters, state);
    } catch (error) {
      return { ok: false, ...about, text: error instanceof SlipwayError ? error.message : 'Something went wrong.' };
    }
    return { ok: true, ...about, text: 'You may close this page, and call the tool again.' };
  }

  async #plan(wanted: Wanted, state: string, signal: AbortSignal): Promise<Omit<Journey, 'asked'>> {
    const { vault, secrets, base: baseOf } = this.#options;
    const { holder, spec, challenge, fetch, publicOnly } = wanted;
    const base = baseOf();
    // Code theft on the way back: the spec allows this machine or TLS, and nothing between.
    if (!base.startsWith('https:') && !isLocal(new URL(base)))
      throw failed('The way back must be https: set publicUrl of the Gateway.');
    const found = await discoverResource({ fetch, url: holder.url, challenge, issuer: spec.issuer, signal });
    const as = await discoverServer(fetch, found.issuer, signal);
    checkServer(as, publicOnly);
    const known = await introduce({ as, registered: spec, base, key: holder.server, vault, fetch, secrets, signal });
    const oauth = await import('oauth4webapi');
    const verifier = oauth.generateRandomCodeVerifier();
    const scopes = scopesFor(wanted, found, as);
    const url = new URL(as.authorization_endpoint as string);
    const parameters = {
      response_type: 'code',
      client_id: known.client.client_id,
      redirect_uri: base + CALLBACK_PATH,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      resource: found.resource,
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
      // OpenID Connect gives no refresh token for a consent that was given before.
      ...(scopes.includes('offline_access') ? { prompt: 'consent' } : {}),
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    const consent = { id: randomBytes(12).toString('base64url'), url: url.href };
    return {
      wanted,
      consent,
      as,
      known,
      verifier,
      scopes,
      base,
      resource: found.resource,
      expires: Date.now() + PATIENCE,
    };
  }

  /** @throws SlipwayError `authorization-failed`, with words that a browser may show */
  async #redeem(journey: Journey, parameters: URLSearchParams, state: string): Promise<void> {
    const { wanted, as, known, verifier, resource, scopes, base } = journey;
    const oauth = await import('oauth4webapi');
    const wrong = (message: string, cause: unknown): never => {
      throw failed(message, cause);
    };
    // Mix-up (RFC 9207): before anything that it says is believed or shown, its errors too. To the letter.
    if (parameters.has('iss') && parameters.get('iss') !== as.issuer)
      throw failed('The answer comes from another authorization server than you were sent to. Nothing was accepted.');
    let valid: URLSearchParams | undefined;
    try {
      valid = oauth.validateAuthResponse(as, known.client, parameters, state);
    } catch (cause) {
      if (cause instanceof oauth.AuthorizationResponseError && cause.error === 'access_denied')
        throw failed('Consent was refused. Nothing has changed.', cause);
      wrong('The answer of the authorization server cannot be used. Call the tool again for a new link.', cause);
    }
    const options = {
      [oauth.customFetch]: wanted.fetch,
      [oauth.allowInsecureRequests]: true,
      additionalParameters: { resource },
    } as const;
    const { client, auth } = known;
    try {
      const back = base + CALLBACK_PATH;
      const code = valid as URLSearchParams;
      const response = await oauth.authorizationCodeGrantRequest(as, client, auth, code, back, verifier, options);
      const answer = await oauth.processAuthorizationCodeResponse(as, client, response);
      const { key, steps, holder } = wanted;
      this.#checkWanted(wanted);
      this.#options.vault.write(key, tokensFrom(answer, { issuer: as.issuer, base, resource, scopes, steps }));
      this.#options.onGranted(holder, journey.consent.id);
    } catch (cause) {
      if (codeOf(cause) === 'invalid_client') forget({ vault: this.#options.vault, issuer: as.issuer, base, client });
      if (cause instanceof SlipwayError) throw cause;
      wrong(`The authorization server gave no token: ${wordsOf(cause)}`, cause);
    }
  }

  #sweep(): void {
    for (const [state, { expires }] of this.#journeys)
      if (expires <= Date.now() || this.#journeys.size >= MAX_WAITING) this.#journeys.delete(state);
  }
}

/** @throws SlipwayError for one that cannot do this safely */
function checkServer(
  { issuer, authorization_endpoint, code_challenge_methods_supported }: AuthorizationServer,
  publicOnly: boolean,
): void {
  // A link of another scheme would run something on the person's machine (CVE-2025-6514).
  const safe = publicOnly ? /^https:\/\//i : /^https?:\/\//i;
  if (!safe.test(authorization_endpoint ?? '') || !URL.canParse(authorization_endpoint ?? ''))
    throw failed(`${issuer} has no page for consent.`);
  if (!code_challenge_methods_supported?.includes('S256'))
    throw failed(`${issuer} does not say that it protects codes with PKCE (S256).`);
}

/** What the config says, else what the server asks for, else what it says it has; and all that was asked for before. */
function scopesFor({ challenge, spec, scopes }: Wanted, found: Protected, as: AuthorizationServer): string[] {
  const named = challenge.scope === undefined ? undefined : words(challenge.scope);
  // What the config says is enough to begin with; a server that wants more says so when it does (403).
  const wanted = (challenge.status === 403 ? named : undefined) ?? spec.scopes ?? named ?? found.scopes ?? [];
  const all = [...scopes, ...wanted];
  // Alone it would take the place of the scopes that are given by default.
  const lasting = all.length > 0 && as.scopes_supported?.includes('offline_access') === true;
  return [...new Set([...all, ...(lasting ? ['offline_access'] : [])])];
}
