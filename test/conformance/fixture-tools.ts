/** The fixture's tools. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  McpError,
  type CallToolRequest,
  type CallToolResult,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import { PNG } from './fixture-data.ts';

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;
type Arguments = Readonly<Record<string, unknown>>;
type Content = CallToolResult['content'];

/** A WAV file of no samples. */
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

const text = (value: string): Content[number] => ({ type: 'text', text: value });
const image: Content[number] = { type: 'image', data: PNG, mimeType: 'image/png' };
const resource = (uri: string, mimeType: string, value: string): Content[number] => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
});

const DEFAULTS = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
  required: [],
};

const titled = (...pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([value, title]) => ({ const: value, title }));
const OPTIONS = ['option1', 'option2', 'option3'];

const ENUMS = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: OPTIONS },
    titledSingle: {
      type: 'string',
      oneOf: titled(['value1', 'First Option'], ['value2', 'Second Option'], ['value3', 'Third Option']),
    },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: OPTIONS } },
    titledMulti: {
      type: 'array',
      items: { anyOf: titled(['value1', 'First Choice'], ['value2', 'Second Choice'], ['value3', 'Third Choice']) },
    },
  },
  required: [],
};

const EMAIL = {
  type: 'object',
  properties: { username: { type: 'string' }, email: { type: 'string', format: 'email' } },
  required: ['username', 'email'],
};

async function elicit(extra: Extra, message: string, requestedSchema: object): Promise<Content> {
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

type Run = (args: Arguments, extra: Extra, server: Server) => Content | Promise<Content>;

const RUNS: Readonly<Record<string, Run>> = {
  test_simple_text: () => [text('This is a simple text response for testing.')],
  test_image_content: () => [image],
  test_audio_content: () => [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }],
  test_embedded_resource: () => [resource('test://embedded-resource', 'text/plain', 'An embedded resource.')],
  test_multiple_content_types: () => [
    text('Multiple content types test:'),
    image,
    resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
  ],
  test_tool_with_logging: (_, extra, server) => log(server, extra),
  test_tool_with_progress: (_, extra) => progress(extra),
  test_error_handling: () => {
    throw new Error('This tool intentionally returns an error for testing');
  },
  test_sampling: ({ prompt }, extra) => sample(extra, String(prompt)),
  test_elicitation: ({ message }, extra) => elicit(extra, String(message), EMAIL),
  test_elicitation_sep1034_defaults: (_, extra) => elicit(extra, 'Please check the defaults', DEFAULTS),
  test_elicitation_sep1330_enums: (_, extra) => elicit(extra, 'Please choose', ENUMS),
  json_schema_2020_12_tool: () => [text('ok')],
};

/** The schema that the suite looks for, keyword by keyword. */
const SCHEMA_2020_12 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object' as const,
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // oxlint-disable-next-line unicorn/no-thenable -- a JSON Schema keyword
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

const STRING_ARGUMENTS: Readonly<Record<string, string>> = { test_sampling: 'prompt', test_elicitation: 'message' };

export const tools = Object.keys(RUNS).map((name) => {
  const argument = STRING_ARGUMENTS[name];
  const inputSchema =
    name === 'json_schema_2020_12_tool'
      ? SCHEMA_2020_12
      : {
          type: 'object' as const,
          ...(argument === undefined
            ? { properties: {} }
            : { properties: { [argument]: { type: 'string' } }, required: [argument] }),
        };
  return { name, description: `${name.replaceAll('_', ' ')}, for conformance`, inputSchema };
});

export async function callTool(
  server: Server,
  { name, arguments: args = {} }: CallToolRequest['params'],
  extra: Extra,
): Promise<CallToolResult> {
  const run = RUNS[name];
  if (!run) throw new McpError(-32_602, `Unknown tool: ${name}`);
  try {
    return { content: await run(args, extra, server) };
  } catch (error) {
    return { isError: true, content: [text(error instanceof Error ? error.message : String(error))] };
  }
}
