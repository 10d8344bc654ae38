/** Tokens that no person is asked for: client credentials (RFC 6749 §4.4) and the exchange of the caller's own (RFC 8693). */
import type { AuthorizationServer, TokenEndpointResponse } from 'oauth4webapi';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { AuthHeader, OpenSecret } from '../../../schemas/upstream-auth.ts';
import { openHeaders, refusedFor, type Authorization, type Challenge, type Credentials } from './authorization.ts';
import { wordsOf, type KnownClient } from './client.ts';
import type { Fetch } from './guarded-fetch.ts';
import { freshUntil } from './tokens.ts';

const failed = (message: string, cause?: unknown): SlipwayError =>
  new SlipwayError('authorization-failed', message, { cause });

/** What is asked for, where, and as whom. */
export interface Grant {
  readonly as: AuthorizationServer;
  readonly known: KnownClient;
  readonly type: string;
  readonly parameters: Record<string, string>;
}

export interface GrantOptions {
  readonly headers: readonly AuthHeader[];
  readonly secrets: OpenSecret;
  readonly fetch: Fetch;
  /** Finds out what to ask for. @param challenge the server's last refusal @throws SlipwayError */
  grant(challenge: Challenge | undefined): Promise<Grant>;
}

interface Held {
  readonly token: string;
  /** Unix time (ms) from which on a new one is had. */
  readonly until: number;
}

/** In memory only: another one can be had at any time. */
export class GrantAuthorization implements Authorization {
  readonly #options: GrantOptions;
  #held: Held | undefined;
  #asking: Promise<Held> | undefined;
  #challenge: Challenge | undefined;

  constructor(options: GrantOptions) {
    this.#options = options;
  }

  async credentials(): Promise<Credentials> {
    const held = this.#held && this.#held.until > Date.now() ? this.#held : await this.#renew();
    const { headers, secrets } = this.#options;
    return {
      headers: { ...(await openHeaders(headers, secrets)), authorization: `Bearer ${held.token}` },
      token: held.token,
    };
  }

  /** One that was just had is as good as they get. */
  async refused(challenge: Challenge, { token }: Credentials, last: boolean): Promise<void> {
    this.#challenge = challenge;
    if (this.#held?.token === token) this.#held = undefined;
    if (last) throw refusedFor(challenge.status);
  }

  /** One request at a time, however many wait for it. */
  #renew(): Promise<Held> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(): Promise<Held> {
    const { grant, fetch } = this.#options;
    const { as, known, type, parameters } = await grant(this.#challenge);
    const oauth = await import('oauth4webapi');
    const options = { [oauth.customFetch]: fetch, [oauth.allowInsecureRequests]: true };
    let answer: TokenEndpointResponse;
    try {
      const response = await oauth.genericTokenEndpointRequest(as, known.client, known.auth, type, parameters, options);
      answer = await oauth.processGenericTokenEndpointResponse(as, known.client, response);
    } catch (cause) {
      if (cause instanceof SlipwayError) throw cause;
      throw failed(`${as.issuer} gives no token: ${wordsOf(cause)}`, cause);
    }
    this.#held = { token: answer.access_token, until: freshUntil(answer.expires_in) ?? Infinity };
    return this.#held;
  }
}
