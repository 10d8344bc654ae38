/** From a server's refusal to the authorization server behind it: MCP 2026-07-28, authorization-server-discovery. */
import type { AuthorizationServer } from 'oauth4webapi';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Challenge } from './authorization.ts';
import type { Fetch } from './guarded-fetch.ts';

/** What a server says about who may come in (RFC 9728). */
export interface Protected {
  /** What tokens are to be for (RFC 8707). */
  readonly resource: string;
  readonly issuer: string;
  /** Enough for its basic functions, as it says. */
  readonly scopes?: readonly string[];
}

interface Discovery {
  readonly fetch: Fetch;
  readonly url: URL;
  readonly challenge: Challenge;
  /** The authorization server that the config wants. */
  readonly issuer: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const failed = (message: string, cause?: unknown): SlipwayError =>
  new SlipwayError('authorization-failed', message, { cause });

/**
 * Asks the server's metadata: where its refusal says, else at the well-known places, the more exact one first. A server
 * without any is asked as revisions before 2025-06-18 had it: its own origin is the authorization server.
 * @throws SlipwayError `authorization-failed`
 */
export async function discoverResource({ fetch, url, challenge, issuer, signal }: Discovery): Promise<Protected> {
  for (const place of placesOf(url, challenge)) {
    const found = await documentAt(fetch, place, signal);
    if (!found) continue;
    const { resource, authorization_servers: servers, scopes_supported: scopes } = found;
    // Mix-up: a token for this server must not be asked for in the name of another.
    if (typeof resource !== 'string' || !covers(resource, url))
      throw failed(`${place.href} is about another resource than ${url.href}.`);
    const named = Array.isArray(servers) ? servers.filter((each) => typeof each === 'string') : [];
    if (named.length === 0) throw failed(`${place.href} names no authorization server.`);
    if (issuer !== undefined && !named.some((each) => sameUrl(each, issuer)))
      throw failed(`${url.href} names another authorization server (${named[0]}) than the config (${issuer}).`);
    return {
      resource,
      issuer: issuer ?? (named[0] as string),
      ...(Array.isArray(scopes) ? { scopes: scopes.filter((each) => typeof each === 'string') } : {}),
    };
  }
  return { resource: canonical(url), issuer: issuer ?? url.origin };
}

/** What the server is called in tokens where it does not say so itself. */
export function canonical({ origin, pathname, search }: URL): string {
  return origin + (pathname === '/' ? '' : pathname) + search;
}

/**
 * The metadata of an authorization server (RFC 8414 §3, and OpenID Connect Discovery §4 in both of its spellings).
 * @throws SlipwayError `authorization-failed`
 */
export async function discoverServer(fetch: Fetch, issuer: string, signal?: AbortSignal): Promise<AuthorizationServer> {
  if (!URL.canParse(issuer)) throw failed('The authorization server is no URL.');
  const { processDiscoveryResponse } = await import('oauth4webapi');
  const url = new URL(issuer);
  for (const place of metadataPlaces(url)) {
    const response = await fetch(place, { headers: { accept: 'application/json' }, signal });
    if (response.status !== 200) continue;
    // Mix-up: metadata counts only where the issuer that it names is the one that was asked.
    return processDiscoveryResponse(url, response).catch((cause: unknown) => {
      throw failed(`${place} is not the metadata of ${issuer}.`, cause);
    });
  }
  throw failed(`${issuer} does not say how it gives access: there is no metadata at its well-known addresses.`);
}

function metadataPlaces({ origin, pathname }: URL): string[] {
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
  ];
  return path === '' ? places : [...places, `${origin}${path}/.well-known/openid-configuration`];
}

function placesOf({ origin, pathname }: URL, { resourceMetadata }: Challenge): URL[] {
  // SSRF: it may name any address; what it may reach is up to the guard.
  if (resourceMetadata !== undefined && URL.canParse(resourceMetadata)) return [new URL(resourceMetadata)];
  const root = new URL('/.well-known/oauth-protected-resource', origin);
  return pathname === '/' ? [root] : [new URL(root.href + pathname), root];
}

/** @returns `undefined` where there is none @throws SlipwayError where there is one that cannot be read */
async function documentAt(
  fetch: Fetch,
  place: URL,
  signal: AbortSignal | undefined,
): Promise<Record<string, unknown> | undefined> {
  const response = await fetch(place.href, { headers: { accept: 'application/json' }, signal });
  if (response.status !== 200) return undefined;
  const document: unknown = await response.json().catch(() => undefined);
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw failed(`${place.href} is not JSON metadata.`);
  return document as Record<string, unknown>;
}

/** Whether a resource is the server at the URL, or what it is a part of. */
function covers(resource: string, url: URL): boolean {
  if (!URL.canParse(resource)) return false;
  const { origin, pathname } = new URL(resource);
  const path = pathname.replace(/\/$/, '');
  return origin === url.origin && (url.pathname === path || url.pathname.startsWith(`${path}/`));
}

function sameUrl(a: string, b: string): boolean {
  return URL.canParse(a) && URL.canParse(b) && new URL(a).href === new URL(b).href;
}
