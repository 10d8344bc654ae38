/** From a gateway's refusal to the identity provider that it trusts: RFC 9728, RFC 8414, RFC 7591. */
import type { AuthorizationServer, Client } from 'oauth4webapi';
import { SlipwayError } from '../../schemas/errors.ts';

/** How long a provider may take to answer one question (ms). */
const TIMEOUT = 30_000;

export interface Wanted {
  /** What tokens are to be for (RFC 8707): the gateway as it calls itself. */
  readonly resource: string;
  readonly issuers: readonly string[];
  readonly scopes: readonly string[];
}

/** A way in that a person has to agree to. */
export interface Journey {
  readonly as: AuthorizationServer;
  readonly client: Client;
  readonly resource: string;
  /** As OAuth writes it; empty for what the provider gives by itself. */
  readonly scope: string;
  readonly signal: AbortSignal;
}

export const failed = (message: string, cause?: unknown, hint?: string): SlipwayError =>
  new SlipwayError('authorization-failed', message, { cause, ...(hint === undefined ? {} : { hint }) });

/**
 * Whom the gateway sends people to who come without a token.
 * @returns `undefined` where it names nobody: then it takes tokens of its own only, or anybody
 * @throws SlipwayError `not-running`, `authorization-failed`
 */
export async function wantedBy(server: URL, signal: AbortSignal): Promise<Wanted | undefined> {
  const base = server.href.replace(/\/+$/, '');
  const refusal = await asked(`${base}/api/v1/status`, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new SlipwayError('not-running', `${base} does not answer.`, { cause });
  });
  await refusal.body?.cancel();
  const challenge = refusal.headers.get('www-authenticate') ?? '';
  const [, place] = /\bresource_metadata="([^"]+)"/.exec(challenge) ?? [];
  if (refusal.status !== 401 || place === undefined) return undefined;
  const document = await json(place, signal);
  const { resource, authorization_servers: issuers, scopes_supported: supported } = document;
  // Mix-up: a token for this gateway must not be asked for in the name of another, nor one for another shown to this one.
  if (typeof resource !== 'string' || resource.replace(/\/+$/, '') !== base)
    throw failed(`${base} calls itself ${String(resource)}.`, undefined, `Try \`slipway login ${String(resource)}\`.`);
  const named = texts(issuers);
  if (named.length === 0) throw failed(`${base} names no identity provider.`);
  const [, least] = /\bscope="([^"]*)"/.exec(challenge) ?? [];
  return { resource, issuers: named, scopes: least?.split(' ').filter(Boolean) ?? texts(supported) };
}

/** @throws SlipwayError `authorization-failed` */
export async function providerAt(issuer: string, signal: AbortSignal): Promise<AuthorizationServer> {
  const oauth = await import('oauth4webapi');
  if (!URL.canParse(issuer)) throw failed(`${issuer} is no identity provider.`);
  const url = new URL(issuer);
  for (const algorithm of ['oauth2', 'oidc'] as const) {
    const response = await oauth
      .discoveryRequest(url, { algorithm, ...(await options(url, signal)) })
      .catch((cause: unknown) => {
        throw failed(`${issuer} does not answer.`, cause);
      });
    if (response.status !== 200) continue;
    // Mix-up: metadata counts only where the issuer that it names is the one that was asked.
    return await oauth.processDiscoveryResponse(url, response).catch((cause: unknown) => {
      throw failed(`${issuer} does not describe itself as RFC 8414 says.`, cause);
    });
  }
  throw failed(`${issuer} does not say how people log in there.`);
}

/** One that is known there, or else one that registers now: a program on somebody's desk, which can keep no secret. */
export async function clientAt(
  as: AuthorizationServer,
  clientId: string | undefined,
  redirect: string | undefined,
  signal: AbortSignal,
): Promise<Client> {
  const oauth = await import('oauth4webapi');
  if (clientId !== undefined) return { client_id: clientId };
  if (as.registration_endpoint === undefined)
    throw failed(
      `${as.issuer} registers no programs by itself.`,
      undefined,
      'Register one there, and give its --client-id.',
    );
  const grants = [redirect === undefined ? DEVICE_GRANT : 'authorization_code', 'refresh_token'];
  const metadata = {
    client_name: 'Slipway CLI',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: grants.filter((grant) => as.grant_types_supported?.includes(grant) ?? true),
    redirect_uris: redirect === undefined ? [] : [redirect],
    response_types: redirect === undefined ? [] : ['code'],
  };
  try {
    const response = await oauth.dynamicClientRegistrationRequest(as, metadata, await optionsFor(as, signal));
    return await oauth.processDynamicClientRegistrationResponse(response);
  } catch (cause) {
    throw failed(
      `${as.issuer} does not register this program: ${wordsOf(cause)}`,
      cause,
      'Register one there, and give its --client-id.',
    );
  }
}

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

/** `offline_access` brings a token that is good for new ones (OpenID Connect Core §11). */
export function scopeFor(as: AuthorizationServer, scopes: readonly string[]): string {
  const more = as.scopes_supported?.includes('offline_access') ? ['offline_access'] : [];
  // Where somebody is known by OpenID alone, so is whoever asks for it to last.
  const openid = more.length > 0 && as.scopes_supported?.includes('openid') ? ['openid'] : [];
  return [...new Set([...openid, ...scopes, ...more])].join(' ');
}

/** What oauth4webapi needs besides. */
export function optionsFor(as: AuthorizationServer, signal: AbortSignal): ReturnType<typeof options> {
  return options(new URL(as.issuer), signal);
}

/** Tokens in the clear: only for a provider on this machine. */
async function options(issuer: URL, signal: AbortSignal): Promise<{ signal: AbortSignal; [key: symbol]: boolean }> {
  const { allowInsecureRequests } = await import('oauth4webapi');
  const isHere = ['127.0.0.1', '[::1]', 'localhost'].includes(issuer.hostname);
  return { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]), [allowInsecureRequests]: isHere };
}

/** What a provider said, as far as it can be shown: its error code, not its prose. */
export function wordsOf(error: unknown): string {
  const code = codeOf(error);
  return code === undefined ? 'its answer is none.' : `${code}.`;
}

/** The code of an OAuth error. Of a client that is not known (RFC 6749 §5.2), the library reads the status and no more. */
export function codeOf(error: unknown): string | undefined {
  const { error: code, status, code: kind } = error as { error?: unknown; status?: unknown; code?: unknown };
  if (status === 401 && kind === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') return 'invalid_client';
  return typeof code === 'string' && /^[\w-]{1,64}$/.test(code) ? code : undefined;
}

const asked = (url: string, signal: AbortSignal): Promise<Response> =>
  fetch(url, { redirect: 'manual', signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]) });

async function json(place: string, signal: AbortSignal): Promise<Record<string, unknown>> {
  const document: unknown = await asked(place, signal)
    .then((response) => response.json())
    .catch(() => undefined);
  signal.throwIfAborted();
  if (typeof document !== 'object' || document === null) throw failed(`${place} is no metadata.`);
  return document as Record<string, unknown>;
}

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : [];
