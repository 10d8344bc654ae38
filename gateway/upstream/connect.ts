/** From an endpoint to a connection: by its transport, and by what the server behind it speaks, asked once for each. */
import { SlipwayError } from '../../schemas/errors.ts';
import { RpcFailure } from '../../schemas/jsonrpc.ts';
import { isDiscovered, offersOurs, ourselves, type Discovered } from '../../schemas/modern.ts';
import type { Connect, Connection } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import type { Authorization } from './auth/authorization.ts';
import { AuthorizedHttp } from './auth/authorized-http.ts';
import { HttpConnection } from './http.ts';
import { ModernHttp } from './http-modern.ts';
import { NotDelivered, type LinkHandlers, type Open } from './link.ts';
import { localConnection } from './local.ts';
import { ModernConnection } from './modern.ts';
import { HttpClient, type Http } from './http1/client.ts';
import { connectSocket } from './socket.ts';
import { connectSse } from './sse.ts';

/** How long a server over HTTP may think about what it speaks; one that is silent is tried the old way (ms). */
const PROBE_TIMEOUT = 10_000;

/**
 * @param inProcess hands over instances that live in this process, so that their messages skip the socket
 * @param version of Slipway, for what it asks for itself
 */
export function opener(inProcess: Connect | undefined, version: string): Open {
  return async (endpoint, handlers, { isolated = false, authorization } = {}) => {
    const { transport, address, id } = endpoint;
    if (transport === 'sse') return connectSse(new URL(address), httpTo(endpoint, authorization), handlers);
    if (transport === 'http') return overHttp(endpoint, () => httpTo(endpoint, authorization), handlers, version);
    const dial = async (link: LinkHandlers): Promise<Connection> =>
      localConnection(inProcess, id, link, isolated) ?? overSocket(address, link, isolated);
    return overBridge(dial, handlers, version);
  };
}

/** Cross-client leak: behind a socket is one process for all, so who is to have one alone gets none rather than that. */
function overSocket(address: string, link: LinkHandlers, isolated: boolean): Promise<Connection> {
  if (isolated) throw new NotDelivered('It cannot be had alone: it runs in another process.');
  return connectSocket(address.replace(/^unix:/, ''), link);
}

function httpTo({ address, publicOnly = false }: Endpoint, authorization: Authorization | undefined): Http {
  const http = new HttpClient(new URL(address), publicOnly);
  return authorization ? new AuthorizedHttp(http, authorization) : http;
}

async function overHttp(
  { address }: Endpoint,
  http: () => Http,
  handlers: LinkHandlers,
  version: string,
): Promise<Connection> {
  const url = new URL(address);
  let modern: ModernConnection | undefined;
  const wire = new ModernHttp(url, http(), version, {
    onNotification: (notification, client) => modern?.heard(notification, client),
    onClose: () => modern?.retire(),
  });
  const found = await discover(wire, version, AbortSignal.timeout(PROBE_TIMEOUT));
  if (found) return (modern = new ModernConnection({ wire, found, version, handlers }));
  wire.close();
  return new HttpConnection(url, http(), handlers);
}

/** The bridge knows what its server speaks, and passes everything on as it is. */
async function overBridge(
  dial: (handlers: LinkHandlers) => Promise<Connection>,
  handlers: LinkHandlers,
  version: string,
): Promise<Connection> {
  let modern: ModernConnection | undefined;
  const wire = await dial({
    ...handlers,
    onNotification: (notification, client) =>
      modern ? modern.heard(notification, client) : handlers.onNotification?.(notification, client),
    onClose: () => (modern ? modern.retire() : handlers.onClose()),
  });
  const found = await discover(wire, version);
  return found ? (modern = new ModernConnection({ wire, found, version, handlers })) : wire;
}

/**
 * @returns `undefined` for a server that does not speak like this, whatever it answers
 * @throws NotDelivered where there is none: that its bridge could not start it is no answer of a server
 */
async function discover(
  wire: Connection,
  version: string,
  signal?: AbortSignal,
  again = true,
): Promise<Discovered | undefined> {
  try {
    const found = await wire.request('server/discover', ourselves(version), { signal });
    return isDiscovered(found) ? found : undefined;
  } catch (error) {
    if (again && error instanceof RpcFailure && offersOurs(error.error)) return discover(wire, version, signal, false);
    const nobody = error instanceof NotDelivered || (signal === undefined && isOurs(error));
    if (!nobody) return undefined;
    wire.close();
    throw error instanceof NotDelivered ? error : new NotDelivered((error as Error).message, error);
  }
}

/** Whether the bridge says so itself, in this process or over its socket. */
function isOurs(error: unknown): boolean {
  if (!(error instanceof RpcFailure)) return error instanceof SlipwayError;
  return (error.error.data as { error_code?: unknown } | undefined)?.error_code !== undefined;
}
