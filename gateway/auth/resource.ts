/** This gateway as an OAuth 2.1 protected resource: what it is called, what it tells of itself, and what it asks for. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Exchange } from '../exchange.ts';
import { isMcpPath } from '../routes/mcp.ts';
import { sendEmpty, sendJson } from '../rpc/respond.ts';
import type { AccessToken } from './access-token.ts';
import { InsufficientScope } from './scopes.ts';
import { canonicalUrl } from './url.ts';

/** RFC 9728 §3.1. The path of the resource follows. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource';

type Where = Pick<Exchange, 'source' | 'generation' | 'request' | 'path'>;

export const isMetadataPath = (path: string): boolean => path === METADATA_PATH || path.startsWith(`${METADATA_PATH}/`);

/**
 * Metadata of one route, or of the gateway as a whole (RFC 9728 §2). Public, and by shape: it does not tell whether the
 * route exists. Web pages may read it, as clients in browsers must.
 * @throws SlipwayError `not-found` where there is no identity provider
 */
export function serveMetadata(exchange: Exchange): void {
  const { generation, path, request, response } = exchange;
  const { publicUrl } = generation;
  const { providers } = generation.snapshot.gateway;
  const after = path.slice(METADATA_PATH.length).replace(/^\/$/, '');
  // Asked for at the root of a host that knows the gateway by a path of its own, or else below that path.
  const prefix = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/^\/$/, '');
  const inside = after.startsWith(prefix) ? [after.slice(prefix.length)] : [];
  const route = [...inside, after].find((one) => one === '' || isMcpPath(one));
  if (providers.length === 0 || route === undefined) throw new SlipwayError('not-found');
  response.setHeader('Access-Control-Allow-Origin', '*');
  response.setHeader('Access-Control-Allow-Headers', '*');
  if (request.method === 'OPTIONS') return sendEmpty(response, 204);
  const scopes = new Set(providers.flatMap((one) => [...one.requiredScopes, ...one.scopes]));
  sendJson(response, 200, {
    resource: baseOf(exchange) + route,
    authorization_servers: providers.map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
    ...(scopes.size > 0 ? { scopes_supported: [...scopes] } : {}),
  });
}

/**
 * Whether the token was made for this resource (RFC 8707, RFC 9068 §4): for the route, for the gateway, or for one of the
 * audiences of the config.
 *
 * Token confusion: one that was made for another service, which a user gave it to in good faith, must not open this one.
 * So the Host header, which that service could forge, has no say here.
 */
export function isAudience({ provider, audiences, resources }: AccessToken, where: Where): boolean {
  const allowed = provider.audiences;
  if (allowed) return audiences.some((audience) => allowed.includes(audience));
  const { generation, source, path } = where;
  const route = isMcpPath(path) ? path : '';
  const isFor = (base: string): boolean => resources.has(base) || resources.has(base + route);
  if (generation.publicUrl !== undefined) return isFor(generation.publicUrl);
  for (const origin of source.own.origins) if (origin.startsWith('http:') && isFor(origin)) return true;
  return false;
}

/** The `WWW-Authenticate` header for a refusal (RFC 6750 §3, RFC 9728 §5.1); `undefined` where none is due. */
export function challenge(where: Where, error: unknown): string | undefined {
  const more = error instanceof InsufficientScope ? error.scopes : undefined;
  if (!more && !(error instanceof SlipwayError && error.code === 'unauthorized')) return undefined;
  const { providers } = where.generation.snapshot.gateway;
  if (providers.length === 0) return 'Bearer';
  const given = where.request.headers.authorization !== undefined;
  const reason = more ? 'insufficient_scope' : given ? 'invalid_token' : undefined;
  const scopes = new Set(more ?? providers.flatMap(({ requiredScopes }) => requiredScopes));
  const route = isPlain(where.path) && isMcpPath(where.path) ? where.path : '';
  const parts = [
    ...(reason === undefined ? [] : [`error="${reason}"`]),
    // Below the gateway's own path, so that a proxy which passes only that on passes this on too.
    `resource_metadata="${baseOf(where)}${METADATA_PATH}${route}"`,
    ...(scopes.size > 0 ? [`scope="${[...scopes].join(' ')}"`] : []),
  ];
  return `Bearer ${parts.join(', ')}`;
}

/** Header injection: the path is as it was sent, and may hold quotes and worse. No route is called so. */
const isPlain = (path: string): boolean => /^[\w.~%/-]*$/.test(path);

/**
 * The gateway as whoever calls knows it. The Host was checked, but on a unix socket, where it means nothing, and is told
 * back to nobody but who sent it.
 */
export function baseOf({ generation, source, request }: Where): string {
  const host = source.kind === 'unix' ? undefined : request.headers.host;
  return generation.publicUrl ?? canonicalUrl(`http://${host ?? 'localhost'}`);
}
