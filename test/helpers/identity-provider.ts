/** A real OpenID provider on 127.0.0.1, and somebody who logs in there without a browser. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider, type ClientMetadata } from 'oidc-provider';

const REDIRECT = 'http://127.0.0.1/callback';

/** How clients introduce themselves: as programs on somebody's desk, who cannot keep a secret. */
const CLIENT: OAuthClientMetadata & { application_type: 'native' } = {
  client_name: 'visitor',
  application_type: 'native',
  redirect_uris: [REDIRECT],
  grant_types: ['authorization_code'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
};

/** A client that needs not register, and may ask for every scope. */
export const KNOWN_CLIENT = 'known';

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
}

/** @param claims what access tokens say of a user, by the name that was typed at log-in */
export async function identityProvider(
  claims: Readonly<Record<string, Record<string, unknown>>> = {},
  scopes = 'mcp mcp:admin',
  { accessTokenTtl = 600 } = {},
): Promise<IdentityProvider> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'first', use: 'sig', alg: 'RS256' }] },
    clients: [{ ...(CLIENT as Partial<ClientMetadata>), client_id: KNOWN_CLIENT }],
    cookies: { keys: ['only for tests'] },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: accessTokenTtl },
    scopes: scopes.split(' '),
    pkce: { required: () => true },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    extraTokenClaims: (_, token) => ('accountId' in token ? claims[token.accountId ?? ''] : undefined),
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: scopes,
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: accessTokenTtl,
        }),
        useGrantedResource: () => true,
      },
    },
  });
  server.on('request', provider.callback());
  return {
    issuer,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** What an MCP client keeps of an OAuth flow; `log in` is done by {@link logIn} with the URL it was sent to. */
export class Visitor implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT;
  readonly clientMetadata: OAuthClientMetadata = CLIENT;
  /** Where the client sent its user to, last. */
  sentTo: URL | undefined;
  #client: OAuthClientInformationMixed | undefined;
  #tokens: OAuthTokens | undefined;
  #verifier = '';

  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.#client;
  }
  saveClientInformation(client: OAuthClientInformationMixed): void {
    this.#client = client;
  }
  tokens(): OAuthTokens | undefined {
    return this.#tokens;
  }
  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens;
  }
  redirectToAuthorization(url: URL): void {
    this.sentTo = url;
  }
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }
  codeVerifier(): string {
    return this.#verifier;
  }
}

/** Fills in the forms of the provider as a browser would: log-in, then consent. @returns the authorization code */
export async function logIn(start: URL, name: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  let form: URLSearchParams | undefined;
  for (let step = 0; step < 20; step++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join('; ') },
      ...(form ? { method: 'POST', body: form } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, key = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(key, value);
    }
    const text = await response.text();
    const location = response.headers.get('location');
    form = undefined;
    if (location !== null) {
      url = new URL(location, url);
      const code = url.searchParams.get('code');
      if (url.href.startsWith(REDIRECT)) {
        if (code === null) throw new Error(`no code: ${url.href}`);
        return code;
      }
      continue;
    }
    const action = /<form[^>]*action="([^"]+)"/.exec(text)?.[1];
    if (action === undefined)
      throw new Error(`neither a form nor a redirect: ${response.status} ${text.slice(0, 500)}`);
    url = new URL(action, url);
    form = new URLSearchParams({
      prompt: /name="prompt" value="(\w+)"/.exec(text)?.[1] ?? '',
      login: name,
      password: 'x',
    });
  }
  throw new Error('the log-in never ends');
}
