/** Begins a conversation with a server, in whichever era it speaks. */
import { LEGACY_VERSIONS, RpcFailure } from '../../schemas/jsonrpc.ts';
import { isDiscovered, ourselves, type Era } from '../../schemas/modern.ts';
import type { Channel, Connection } from '../../schemas/peer.ts';

/** What a server says of itself. */
export interface Introduced {
  readonly era: Era;
  readonly instructions?: string;
  readonly capabilities?: Readonly<Record<string, unknown>>;
}

/** @returns what was said, and a channel whose requests are what the server's era wants them to be @throws RpcFailure */
export async function converse(
  connection: Connection,
  version: string,
  signal: AbortSignal,
): Promise<{ said: Introduced; channel: Channel }> {
  const said = await introduce(connection, version, signal);
  if (said.era === 'legacy') return { said, channel: connection };
  const channel: Channel = {
    get inFlight() {
      return connection.inFlight;
    },
    request: (method, params, options) => connection.request(method, ourselves(version, params), options),
    notify: (method, params) => connection.notify(method, params),
  };
  return { said, channel };
}

async function introduce(connection: Connection, version: string, signal: AbortSignal): Promise<Introduced> {
  const found = await connection.request('server/discover', ourselves(version), { signal }).catch((error: unknown) => {
    if (!(error instanceof RpcFailure)) throw error;
  });
  if (isDiscovered(found)) return { ...found, era: 'modern' };
  const params = { protocolVersion: LEGACY_VERSIONS[0], capabilities: {}, clientInfo: { name: 'slipway', version } };
  const initialized = (await connection.request('initialize', params, { signal })) as Omit<Introduced, 'era'>;
  connection.notify('notifications/initialized');
  return { ...initialized, era: 'legacy' };
}
