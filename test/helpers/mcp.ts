/** A short way to hold an MCP conversation in tests. */
import type { Connection, RequestOptions } from '../../schemas/peer.ts';

const INITIALIZE = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };

export async function initialize(connection: Connection): Promise<unknown> {
  const result = await connection.request('initialize', INITIALIZE);
  connection.notify('notifications/initialized');
  return result;
}

export async function toolNames(connection: Connection): Promise<string[]> {
  const { tools } = (await connection.request('tools/list', {})) as { tools: { name: string }[] };
  return tools.map((tool) => tool.name);
}

/** @returns the text that the tool answered with */
export async function callTool(
  connection: Connection,
  name: string,
  args: Record<string, unknown> = {},
  options: RequestOptions = {},
): Promise<string> {
  const params = { name, arguments: args };
  const { content } = (await connection.request('tools/call', params, options)) as { content: { text: string }[] };
  return content.map((part) => part.text).join('');
}
