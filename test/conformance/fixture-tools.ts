/** The fixture's tools. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  ListRootsResultSchema,
  McpError,
  type CallToolRequest,
  type CallToolResult,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import {
  DEFAULTS,
  EMAIL,
  ENUMS,
  fixedContent,
  text,
  toolNamed,
  type Arguments,
  type Changes,
} from './fixture-shared.ts';

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;
type Content = CallToolResult['content'];

export async function elicit(extra: Extra, message: string, requestedSchema: object): Promise<Content> {
  const params = { mode: 'form', message, requestedSchema };
  const request = { method: 'elicitation/create', params } as ServerRequest;
  const { action, content } = await extra.sendRequest(request, ElicitResultSchema);
  return [text(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`)];
}

async function sample(extra: Extra, prompt: string): Promise<Content> {
  const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: prompt } }];
  const request = { method: 'sampling/createMessage' as const, params: { messages, maxTokens: 100 } };
  const { content } = await extra.sendRequest(request, CreateMessageResultSchema);
  return [text(`LLM response: ${'text' in content ? content.text : ''}`)];
}

async function roots(extra: Extra): Promise<Content> {
  const found = await extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema);
  return [text(`Roots: ${JSON.stringify(found.roots)}`)];
}

async function log(server: Server, extra: Extra): Promise<Content> {
  for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
    if (data !== 'Tool execution started') await sleep(50);
    await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
  }
  return [text(`Logged by ${server.transport ? 'a connected' : 'no'} server`)];
}

async function progress({ _meta, sendNotification }: Extra): Promise<Content> {
  const progressToken = _meta?.progressToken;
  for (const done of [0, 50, 100]) {
    if (done > 0) await sleep(50);
    if (progressToken !== undefined)
      await sendNotification({
        method: 'notifications/progress',
        params: { progressToken, progress: done, total: 100 },
      });
  }
  return [text('Done')];
}

type Run = (args: Arguments, extra: Extra, server: Server, changes: Changes) => Content | Promise<Content>;

const RUNS: Readonly<Record<string, Run>> = {
  test_tool_with_logging: (_, extra, server) => log(server, extra),
  test_tool_with_progress: (_, extra) => progress(extra),
  test_error_handling: () => {
    throw new Error('This tool intentionally returns an error for testing');
  },
  test_sampling: ({ prompt }, extra) => sample(extra, String(prompt)),
  test_elicitation: ({ message }, extra) => elicit(extra, String(message), EMAIL),
  test_elicitation_sep1034_defaults: (_, extra) => elicit(extra, 'Please check the defaults', DEFAULTS),
  test_elicitation_sep1330_enums: (_, extra) => elicit(extra, 'Please choose', ENUMS),
  test_roots: (_, extra) => roots(extra),
  test_x_mcp_header: ({ region }) => [text(`region=${String(region)}`)],
  test_logging_tool: (_, extra, server) => log(server, extra),
  test_streaming_elicitation: (_, extra) => progress(extra),
  test_input_required_result_elicitation: (_, extra) => elicit(extra, 'What is your name?', EMAIL),
  test_input_required_result_sampling: (_, extra) => sample(extra, 'What is the capital of France?'),
  test_input_required_result_list_roots: (_, extra) => roots(extra),
  test_input_required_result_request_state: async (_, extra) => {
    await elicit(extra, 'Please confirm', EMAIL);
    return [text('state-ok')];
  },
  test_input_required_result_tampered_state: (_, extra) => elicit(extra, 'Please confirm', EMAIL),
  test_input_required_result_multiple_inputs: async (_, extra) =>
    (await Promise.all([elicit(extra, 'Who?', EMAIL), sample(extra, 'Greet'), roots(extra)])).flat(),
  test_input_required_result_multi_round: async (_, extra) => [
    ...(await elicit(extra, 'Step 1', EMAIL)),
    ...(await elicit(extra, 'Step 2', EMAIL)),
  ],
  // A legacy server does not know who is asking, so it tries.
  test_input_required_result_capabilities: async (_, extra) => [
    ...(await elicit(extra, 'Your name?', EMAIL).catch(() => [])),
    ...(await sample(extra, 'What is the capital of France?')),
  ],
  test_hang: async (_args, { signal, _meta, sendNotification }, _server, changes) => {
    const cancelled = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    const progressToken = _meta?.progressToken;
    if (progressToken !== undefined)
      await sendNotification({ method: 'notifications/progress', params: { progressToken, progress: 0 } });
    await cancelled;
    changes.cancelled();
    return [];
  },
  test_trigger_tool_change: (_args, _extra, _server, changes) => (changes.tools(), [text('changed')]),
  test_trigger_prompt_change: (_args, _extra, _server, changes) => (changes.prompts(), [text('changed')]),
  test_touch_resource: (_args, _extra, _server, changes) => (changes.resource(), [text('touched')]),
};

export const tools = [...Object.keys(fixedContent), ...Object.keys(RUNS)].map((name) => toolNamed(name));

export async function callTool(
  server: Server,
  { name, arguments: args = {}, _meta }: CallToolRequest['params'],
  extra: Extra,
  changes: Changes,
): Promise<CallToolResult> {
  const fixed = fixedContent[name];
  if (fixed) return fixed({ args, _meta }) as CallToolResult;
  const run = RUNS[name];
  if (!run) throw new McpError(-32_602, `Unknown tool: ${name}`);
  try {
    return { content: await run(args, extra, server, changes) };
  } catch (error) {
    return { isError: true, content: [text(error instanceof Error ? error.message : String(error))] };
  }
}
