/** An MCP client for commands: the official SDK's, over whatever way leads to the target. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CallToolResultSchema,
  ErrorCode as ErrorCodes,
  McpError,
  type CallToolResult,
} from '@modelcontextprotocol/sdk/types.js';
import { ERRORS, SlipwayError, type ErrorCode } from '../schemas/errors.ts';
import type { Target } from './target.ts';
import { VERSION } from './version.ts';

/** The gateway knows how long a call may take (`Server spec.timeout`), so the client does not set a limit of its own. */
const NO_TIMEOUT = 2 ** 31 - 1;

export type CallResult = CallToolResult;

export interface McpClient extends AsyncDisposable {
  callTool(name: string, parameters: Record<string, unknown>, signal: AbortSignal): Promise<CallResult>;
}

/** @param path the route: `/mcp`, `/servers/<name>/mcp` … */
export async function connectMcp(target: Target, path: string): Promise<McpClient> {
  const client = new Client({ name: 'slipway-cli', version: VERSION });
  // The host is the target's business; only the path matters here.
  const transport = new StreamableHTTPClientTransport(new URL(path, 'http://localhost'), { fetch: target.fetch });
  await client.connect(transport as Transport).catch((error: unknown) => {
    throw asSlipwayError(error);
  });
  return {
    async callTool(name, parameters, signal) {
      try {
        return await client.request(
          { method: 'tools/call', params: { name, arguments: parameters } },
          CallToolResultSchema,
          { signal, timeout: NO_TIMEOUT },
        );
      } catch (error) {
        throw asSlipwayError(error);
      }
    },
    async [Symbol.asyncDispose]() {
      await transport.terminateSession().catch(() => {});
      await client.close();
    },
  };
}

/** What the gateway answered with, in its own words. */
function asSlipwayError(error: unknown): unknown {
  if (error instanceof SlipwayError || !(error instanceof Error)) return error;
  if (error instanceof McpError) {
    const said = error.message.replace(/^MCP error -?\d+: /, '');
    if (error.code !== ErrorCodes.InvalidParams) return new SlipwayError('upstream-unavailable', said);
    const hint = 'Look at the name of the tool and at its arguments: `slipway describe server <name>`.';
    return new SlipwayError('usage', said, { hint });
  }
  const answered = /\{.*"error".*\}/s.exec(error.message)?.[0];
  return (answered === undefined ? undefined : refusalIn(answered)) ?? error;
}

/** A refusal in either shape: of the gateway itself, or of one of its MCP routes. */
function refusalIn(body: string): SlipwayError | undefined {
  type Said = { readonly error_code?: string; readonly hint?: string };
  try {
    const said = JSON.parse(body) as Said & { error: string | { message: string; data?: Said } };
    const [message, { error_code: code = '', hint }] =
      typeof said.error === 'string' ? [said.error, said] : [said.error.message, said.error.data ?? {}];
    if (!Object.hasOwn(ERRORS, code)) return undefined;
    return new SlipwayError(code as ErrorCode, message, hint === undefined ? {} : { hint });
  } catch {
    return undefined;
  }
}
