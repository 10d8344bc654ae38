/** How a load generator speaks MCP, in either era. */
import { headerOf, Wire, type Answer } from './wire.ts';

export type Era = '2025-11-25' | '2026-07-28';

/** A client as the wire sees it: what it says with each request. */
export interface Talker {
  call(wire: Wire, id: number, method: string, params: Record<string, unknown>): Promise<Answer>;
}

const text = (message: object): string => JSON.stringify({ jsonrpc: '2.0', ...message });
const info = { name: 'bench', version: '1' };

/** Opens a session. @returns its header lines */
export async function greet(wire: Wire, headers = ''): Promise<string> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: info };
  const { head } = await wire.post(text({ id: 0, method: 'initialize', params }), headers);
  const id = headerOf(head, 'mcp-session-id');
  const session = `${headers}${id === undefined ? '' : `Mcp-Session-Id: ${id}\r\n`}`;
  await wire.post(text({ method: 'notifications/initialized' }), session);
  return session;
}

/** @param token for a gateway that wants to know who calls */
export async function talker(url: string, era: Era = '2025-11-25', token?: string): Promise<Talker> {
  const bearer = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  if (era === '2026-07-28') return { call: (...asked) => callModern(bearer, ...asked) };
  using wire = await Wire.open(new URL(url));
  const session = await greet(wire, bearer);
  return { call: (own, id, method, params) => own.post(text({ id, method, params }), session) };
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': info,
};

function callModern(
  bearer: string,
  wire: Wire,
  id: number,
  method: string,
  params: Record<string, unknown>,
): Promise<Answer> {
  const name = typeof params['name'] === 'string' ? `Mcp-Name: ${params['name']}\r\n` : '';
  const headers = `${bearer}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: ${method}\r\n${name}`;
  return wire.post(text({ id, method, params: { ...params, _meta: META } }), headers);
}
