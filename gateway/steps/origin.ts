/** Who is being talked to, and from which web page: the guard against DNS rebinding. Runs first, on every route. */
import { isIP } from 'node:net';
import type { HttpRequest } from '../http/message.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Snapshot } from '../../schemas/snapshot.ts';

/** Lower-case `name` (any port) or `name:port` (exactly that), and whole origins. */
export interface HostPolicy {
  readonly hosts: ReadonlySet<string>;
  readonly origins: ReadonlySet<string>;
}

export const noHosts: HostPolicy = { hosts: new Set(), origins: new Set() };

/** The names by which a listener knows itself. */
export function ownHosts(host: string, port: number): HostPolicy {
  const hosts = ['localhost', '127.0.0.1', '[::1]', host.includes(':') ? `[${host}]` : host.toLowerCase()];
  const origins = hosts.flatMap((name) => ['http', 'https'].map((scheme) => originOf(`${scheme}://${name}:${port}`)));
  // As clients send it, it is found without being taken apart.
  return { hosts: new Set([...hosts, ...hosts.map((name) => `${name}:${port}`)]), origins: new Set(origins) };
}

/** What the operator allows besides. */
export function configuredHosts(gateway: Snapshot['gateway']): HostPolicy {
  const url = gateway.publicUrl === undefined ? undefined : new URL(gateway.publicUrl);
  return {
    hosts: new Set([...gateway.allowedHosts, ...(url ? [url.host] : [])].map((host) => host.toLowerCase())),
    origins: new Set([...gateway.allowedOrigins.map(originOf), ...(url ? [url.origin] : [])]),
  };
}

/**
 * DNS rebinding: a web page on `evil.example`, whose name an attacker points at 127.0.0.1, talks to this gateway with
 * the user's network position. Its requests carry a foreign Host, or a foreign Origin; both are refused here.
 * @param anyPage for what is public, and says nothing that such a page could not have from anywhere
 * @throws SlipwayError `host-not-allowed`, `origin-not-allowed`
 */
export function checkOrigin(
  request: HttpRequest,
  kind: 'tcp' | 'unix',
  policies: readonly HostPolicy[],
  anyPage = false,
): void {
  // Absolute-form (`GET http://evil/ HTTP/1.1`): its authority overrides Host, so it could smuggle a name past the check.
  if (!request.url?.startsWith('/')) throw new SlipwayError('host-not-allowed', 'The request target must be a path.');
  const origin = only(request, 'origin', 'origin-not-allowed');
  if (kind === 'unix') {
    // No name leads to a unix socket, and no browser does: an Origin there is a page reaching through some proxy.
    if (origin !== undefined) throw new SlipwayError('origin-not-allowed');
    return;
  }
  if (!hostAllowed(only(request, 'host', 'host-not-allowed'), policies)) throw new SlipwayError('host-not-allowed');
  if (origin !== undefined && !anyPage && !policies.some((policy) => policy.origins.has(origin.toLowerCase())))
    throw new SlipwayError('origin-not-allowed');
}

function hostAllowed(header: string | undefined, policies: readonly HostPolicy[]): boolean {
  if (header === undefined) return false;
  for (const { hosts } of policies) if (hosts.has(header)) return true;
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?)(:\d{1,5})?$/.exec(header.toLowerCase());
  const [, name, port = ''] = match ?? [];
  // No machine has such a port, and no URL: what is made of the Host header would fail.
  if (name === undefined || Number(port.slice(1)) > 65_535) return false;
  // Rebinding needs a name that resolves to us; an address literal cannot be rebound.
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return true;
  return policies.some(({ hosts }) => hosts.has(name) || hosts.has(name + port));
}

/**
 * Two headers of one name that there must be once: this gateway and a proxy before it may each believe another one.
 * @param name in lower case @throws SlipwayError with the code that is given
 */
export function only(
  request: HttpRequest,
  name: string,
  code: 'host-not-allowed' | 'origin-not-allowed' | 'unauthorized',
): string | undefined {
  const { rawHeaders } = request;
  if (rawHeaders === undefined) return request.headers[name]?.toString();
  let found: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const header = rawHeaders[at];
    if (header?.length !== name.length || header.toLowerCase() !== name) continue;
    if (found !== undefined) throw new SlipwayError(code, `Two ${name} headers.`);
    found = rawHeaders[at + 1];
  }
  return found;
}

/** An entry that is no URL stays as it is; it then equals no browser's Origin but itself. `null` never gets in. */
function originOf(text: string): string {
  return URL.canParse(text) && new URL(text).origin !== 'null' ? new URL(text).origin : `invalid:${text}`;
}
