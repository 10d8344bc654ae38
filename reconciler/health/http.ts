/** A connection to an HTTP instance for checks, through the SDK: off the hot path, its weight does not matter. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import type { Connection } from '../../schemas/peer.ts';
import type { Endpoint } from '../../schemas/snapshot.ts';
import { connectModern } from './http-modern.ts';

/** Performs the handshake. @throws when nothing listens yet or the handshake fails */
export async function connectHttp(endpoint: Endpoint, version: string, signal: AbortSignal): Promise<Connection> {
  const url = new URL(endpoint.address);
  const modern = endpoint.transport === 'http' ? await connectModern(url, version, signal) : undefined;
  return modern ?? connectLegacy(endpoint, url, version, signal);
}

async function connectLegacy(
  { transport: kind }: Endpoint,
  url: URL,
  version: string,
  signal: AbortSignal,
): Promise<Connection> {
  const client = new Client({ name: 'slipway', version });
  const transport = kind === 'sse' ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
  await client.connect(transport as Transport, { signal });
  const initialized = { capabilities: client.getServerCapabilities() ?? {}, instructions: client.getInstructions() };
  return {
    inFlight: 0,
    // The handshake was made by `connect`, so its answer is what `initialize` gets.
    request: async (method, params, options) => {
      if (method === 'initialize') return initialized;
      // It was asked before this connection was made.
      if (method === 'server/discover') return undefined;
      const request = { method, ...(params ? { params } : {}) };
      return client.request(request, ResultSchema, options?.signal ? { signal: options.signal } : {});
    },
    notify() {},
    // A check must not leave a session behind on the server.
    close: () =>
      void endSession(transport)
        .then(() => client.close())
        .catch(() => {}),
  };
}

async function endSession(transport: SSEClientTransport | StreamableHTTPClientTransport): Promise<void> {
  if ('terminateSession' in transport) await transport.terminateSession().catch(() => {});
}
