import { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { connectMcp, type CallResult } from '../mcp.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'call a tool through the gateway',
  usage: '<server> <tool> [json]',
  options: [...TARGET_OPTIONS, outputOption(['text', 'json'])],
  examples: [`slipway call hello hello '{"name":"Ada"}'`],

  async run({ args: [server = '', tool = '', json = '{}'], options, io }) {
    const parameters = parseArguments(json);
    const target = await findTarget(options, io);
    await using client = await connectMcp(target, `/servers/${encodeURIComponent(server)}/mcp`);
    const result = await client.callTool(tool, parameters, io.signal);
    io.out(options['output'] === 'json' ? JSON.stringify(result, null, 2) : contentText(result));
    return result.isError ? 1 : 0;
  },
};

function parseArguments(json: string): Record<string, unknown> {
  try {
    const value: unknown = parseExact(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new SlipwayError('usage', 'The arguments must be a JSON object.', { hint: `For example '{"name":"Ada"}'.` });
}

function contentText(result: CallResult): string {
  return result.content.map((part) => (part.type === 'text' ? part.text : JSON.stringify(part))).join('\n');
}
