import { SlipwayError } from '../../schemas/errors.ts';
import { LineSplitter } from '../../schemas/lines.ts';
import { TARGET_OPTIONS, text, type Command, type Options } from '../command.ts';
import { Bridge } from '../connect/bridge.ts';
import { findTarget } from '../target.ts';

/** Longest line that a client may write (bytes): more than any gateway takes. */
const MAX_LINE = 64 * 1024 * 1024;

export const command: Command = {
  summary: 'be an MCP server on stdio that is a route of a gateway',
  options: [
    { flags: '-p, --project <project>', description: 'the project’s route (default: every server)' },
    { flags: '-s, --mcp-server <server>', description: 'one server’s route, with its own names' },
    { flags: '--server-url <url>', description: 'the same as --server' },
    ...TARGET_OPTIONS,
  ],
  examples: [
    'slipway connect --project dev',
    'slipway connect --project dev --server-url https://mcp.example.com',
    'slipway connect --mcp-server hello',
  ],

  async run({ options, io }) {
    const serverUrl = text(options, 'serverUrl');
    const target = await findTarget(serverUrl === undefined ? options : { ...options, server: serverUrl }, io);
    const url = new URL(routeOf(options), 'http://slipway');
    await using bridge = new Bridge({ wire: { fetch: target.fetch, url }, write: io.out, warn: io.err });
    const lines = new LineSplitter((line) => bridge.receive(line), {
      maxBytes: MAX_LINE,
      onTooLong: (bytes) => io.err(`a message of ${bytes} bytes is too long and was left out`),
    });
    const stop = (): void => void io.input.destroy();
    io.signal.addEventListener('abort', stop);
    try {
      for await (const chunk of io.input) lines.push(Buffer.from(chunk as Uint8Array));
      lines.end();
      await bridge.finish();
    } catch (error) {
      if (!io.signal.aborted) throw error;
    } finally {
      io.signal.removeEventListener('abort', stop);
    }
    return 0;
  },
};

function routeOf(options: Options): string {
  const project = text(options, 'project');
  const server = text(options, 'mcpServer');
  if (project !== undefined && server !== undefined)
    throw new SlipwayError('usage', 'Either --project or --mcp-server.');
  if (project !== undefined) return `/projects/${encodeURIComponent(project)}/mcp`;
  return server === undefined ? '/mcp' : `/servers/${encodeURIComponent(server)}/mcp`;
}
