/** A gateway whose users come with access tokens, and what it says to them. */
import type { Gateway } from '../../../gateway/index.ts';
import type { Provider } from '../../../schemas/snapshot.ts';
import { MCP_HEADERS, raw, type Raw, type Wish } from '../../gateway/helpers/gateway.ts';
import { bound, provider } from './identities.ts';
import type { Issuer } from './issuer.ts';

export const AUDIENCE = 'https://mcp.example.com';

/** Ada may use everything; nobody else anything. */
export function wish(issuer: Issuer, more: Partial<Provider> = {}): Wish {
  return {
    servers: { a: { unavailable: { code: 'x', message: 'x' } } },
    gateway: { publicUrl: AUDIENCE, providers: [provider(issuer.url, more)] },
    users: [{ name: 'ada', subject: 'ada' }],
    access: bound({ kind: 'User', name: 'ada', role: 'member' }),
  };
}

export function ping(
  gateway: Gateway,
  token: string,
  path = '/mcp',
  headers: Record<string, string> = {},
): Promise<Raw> {
  return raw(gateway.url, {
    method: 'POST',
    path,
    headers: { ...MCP_HEADERS, Authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
    }),
  });
}

export const status = async (gateway: Gateway, token: string, path?: string): Promise<number> =>
  (await ping(gateway, token, path)).status;

export const seconds = (from: number): number => Math.floor(Date.now() / 1000) + from;
