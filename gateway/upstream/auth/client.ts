/** How an authorization server knows us: MCP 2026-07-28, client-registration. */
import type { AuthorizationServer, Client, ClientAuth } from 'oauth4webapi';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { OpenSecret, SecretUse } from '../../../schemas/upstream-auth.ts';
import type { Fetch } from './guarded-fetch.ts';
import type { Vault } from './vault.ts';

/** Where the gateway says who it is, and where people come back to, below its public address. */
export const CLIENT_PATH = '/oauth/client.json';
export const CALLBACK_PATH = '/oauth/callback';

/** What the config says of a client that was registered by hand. */
export interface Registered {
  readonly clientId?: string | undefined;
  readonly clientSecret?: SecretUse | undefined;
  /** Where; checked when it was looked for. */
  readonly issuer?: string | undefined;
}

/** A client as one authorization server knows it. */
export interface KnownClient {
  readonly client: Client;
  readonly auth: ClientAuth;
}

interface Introduction {
  readonly as: AuthorizationServer;
  readonly registered: Registered;
  /** Where the gateway is reached from outside. */
  readonly base: string;
  /** Names what the client is for, so that it stays with the authorization server it was first used at. */
  readonly key: string;
  readonly vault: Vault;
  readonly fetch: Fetch;
  readonly secrets: OpenSecret;
  readonly signal?: AbortSignal | undefined;
}

interface Forgotten extends Pick<Introduction, 'vault' | 'base'> {
  readonly issuer: string;
  readonly client: Client | undefined;
}

const failed = (message: string, cause?: unknown): SlipwayError =>
  new SlipwayError('authorization-failed', message, { cause });

/**
 * A client that was registered by hand, else the document that the gateway serves about itself, else one that is
 * registered on the spot and kept.
 * @throws SlipwayError `authorization-failed`, `secret-unavailable`
 */
export async function introduce(introduction: Introduction): Promise<KnownClient> {
  const { as, registered, base } = introduction;
  const { clientId, clientSecret, issuer } = registered;
  if (clientId !== undefined) {
    if (clientSecret && issuer === undefined) pin(introduction, clientId);
    const secret = clientSecret && (await introduction.secrets(clientSecret));
    return known(as, { client_id: clientId, ...(secret === undefined ? {} : { client_secret: secret }) });
  }
  if (as.client_id_metadata_document_supported === true && base.startsWith('https:'))
    return known(as, { client_id: base + CLIENT_PATH });
  return known(as, await registration(introduction));
}

/**
 * Forgets a client that its authorization server does not know any more, so that another one is registered: people would be
 * sent to a page that knows nobody of that name.
 * @returns whether it is the one that was registered on the spot. One that somebody registered by hand is not ours to forget.
 */
export function forget({ vault, issuer, base, client }: Forgotten): boolean {
  const name = registrationKey(issuer, base);
  const registered = vault.read(name) as Client | undefined;
  if (registered === undefined || registered.client_id !== client?.client_id) return false;
  vault.remove(name);
  return true;
}

/** What the gateway says about itself: served where {@link CLIENT_PATH} says, and sent to register. */
export function selfDescription(base: string): Record<string, unknown> {
  const local = isLocal(new URL(base));
  return {
    client_name: 'Slipway',
    redirect_uris: [base + CALLBACK_PATH],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    application_type: local ? 'native' : 'web',
  };
}

export function isLocal({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/**
 * Secret theft: a server that names another authorization server would have us send the secret there. The first one
 * counts, until the config says otherwise.
 */
function pin({ vault, key, as }: Introduction, clientId: string): void {
  const name = `pin ${JSON.stringify([key, clientId])}`;
  const before = vault.read(name);
  if (before === undefined) return vault.write(name, as.issuer);
  if (before !== as.issuer)
    throw failed(
      `The client belongs to ${String(before)}, but the server now names ${as.issuer}. If that is meant, give it as issuer.`,
    );
}

const registrationKey = (issuer: string, base: string): string => `client ${JSON.stringify([issuer, base])}`;

/** Two at once would be two clients, and the tokens of one are nothing to the other. */
function registration(introduction: Introduction): Promise<Client> {
  const { as, base, vault } = introduction;
  return vault.once(registrationKey(as.issuer, base), isCurrent, () => register(introduction));
}

function isCurrent(value: unknown): value is Client {
  const { client_id: id, client_secret_expires_at: expires = 0 } = (value ?? {}) as Partial<Client>;
  return typeof id === 'string' && (Number(expires) === 0 || Number(expires) * 1000 > Date.now());
}

async function register({ as, base, fetch, signal }: Introduction): Promise<Client> {
  if (as.registration_endpoint === undefined)
    throw failed(`${as.issuer} does not register clients by itself: register one there, and give its clientId.`);
  const wanted = { ...selfDescription(base), token_endpoint_auth_method: methodOf(as) };
  const response = await fetch(as.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(wanted),
    signal,
  });
  // Many leave out what RFC 7591 §3.2.1 asks for besides, so nothing but the id is.
  const client = (await response.json().catch(() => ({}))) as Partial<Client> | null;
  if (!response.ok || typeof client?.client_id !== 'string')
    throw failed(`${as.issuer} refuses to register this gateway: ${wordsOf(client ?? {})}`);
  return client as Client;
}

const METHODS = ['client_secret_basic', 'client_secret_post', 'none'];

/** The first of ours that it takes too. */
function methodOf({ token_endpoint_auth_methods_supported: taken }: AuthorizationServer): string {
  return METHODS.find((method) => taken === undefined || taken.includes(method)) ?? 'none';
}

async function known(as: AuthorizationServer, client: Client): Promise<KnownClient> {
  const { ClientSecretPost, None } = await import('oauth4webapi');
  const { client_secret: secret, token_endpoint_auth_method: agreed } = client;
  if (typeof secret !== 'string' || agreed === 'none') return { client, auth: None() };
  const method = typeof agreed === 'string' ? agreed : methodOf(as);
  return { client, auth: method === 'client_secret_post' ? ClientSecretPost(secret) : basic(secret) };
}

/** RFC 6749 §2.3.1. Encodes no more than it must: many a server does not decode. */
function basic(secret: string): ClientAuth {
  const encode = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);
  return (_, { client_id }, __, headers) => {
    const pair = `${encode(client_id)}:${encode(secret)}`;
    headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  };
}

/** What an authorization server said, as far as it can be shown: its error code, not its prose. */
export function wordsOf(error: unknown): string {
  return `${codeOf(error) ?? `its answer is none (${String((error as { code?: unknown }).code)})`}.`;
}

/**
 * The code of an OAuth error. A client whose secret is wrong, or that is not known, is challenged at the token endpoint (RFC
 * 6749 §5.2), and the library reads no further than that.
 */
export function codeOf(error: unknown): string | undefined {
  const { error: code, code: ours, status } = error as { error?: unknown; code?: unknown; status?: unknown };
  if (ours === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE' && status === 401) return 'invalid_client';
  return typeof code === 'string' && /^[\w-]{1,64}$/.test(code) ? code : undefined;
}
