/** What the fixtures of both eras have in common: tools that need nobody, the shapes of questions, and what can change. */
import { PNG } from './fixture-data.ts';

export type Arguments = Readonly<Record<string, unknown>>;

/** How a tool makes its server's world another one. */
export interface Changes {
  tools(): void;
  prompts(): void;
  resource(): void;
  /** A call was cancelled. */
  cancelled(): void;
}

/** A WAV file of no samples. */
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

type Content =
  | { type: 'text'; text: string }
  | { type: 'image' | 'audio'; data: string; mimeType: string }
  | { type: 'resource'; resource: { uri: string; mimeType: string; text: string } }
  | { type: 'resource_link'; uri: string; name: string };

export const text = (value: string) => ({ type: 'text' as const, text: value });
const image: Content = { type: 'image', data: PNG, mimeType: 'image/png' };
const resource = (uri: string, mimeType: string, value: string): Content => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
});

interface Given {
  readonly args: Arguments;
  readonly _meta: unknown;
}

interface Result {
  readonly content: Content[];
  readonly structuredContent?: Record<string, unknown>;
  readonly _meta?: Record<string, unknown>;
}

export const fixedContent: Readonly<Record<string, (given: Given) => Result>> = {
  test_simple_text: () => ({ content: [text('This is a simple text response for testing.')] }),
  test_image_content: () => ({ content: [image] }),
  test_audio_content: () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] }),
  test_embedded_resource: () => ({
    content: [resource('test://embedded-resource', 'text/plain', 'An embedded resource.')],
  }),
  test_resource_link: () => ({ content: [{ type: 'resource_link', uri: 'test://static-text', name: 'static-text' }] }),
  test_multiple_content_types: () => ({
    content: [
      text('Multiple content types test:'),
      image,
      resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  }),
  test_structured: ({ args }) => ({
    content: [text(JSON.stringify({ sum: Number(args['a']) + 1 }))],
    structuredContent: { sum: Number(args['a']) + 1 },
  }),
  /** Tells what came along with the request. */
  test_meta: ({ _meta }) => ({ content: [text(JSON.stringify(_meta ?? {}))], _meta: { 'example.com/kept': true } }),
  json_schema_2020_12_tool: () => ({ content: [text('ok')] }),
};

export const DEFAULTS = {
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

export const ENUMS = {
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

export const EMAIL = {
  type: 'object',
  properties: { username: { type: 'string' }, email: { type: 'string', format: 'email' } },
  required: ['username', 'email'],
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

const SCHEMAS: Readonly<Record<string, object>> = {
  json_schema_2020_12_tool: SCHEMA_2020_12,
  test_structured: { type: 'object', properties: { a: { type: 'integer' } } },
  test_x_mcp_header: {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, level: { type: 'integer' } },
  },
};

export function toolNamed(name: string) {
  const argument = STRING_ARGUMENTS[name];
  const inputSchema = SCHEMAS[name] ?? {
    type: 'object' as const,
    ...(argument === undefined
      ? { properties: {} }
      : { properties: { [argument]: { type: 'string' } }, required: [argument] }),
  };
  return {
    name,
    description: `${name.replaceAll('_', ' ')}, for conformance`,
    inputSchema: inputSchema as { type: 'object' },
    ...(name === 'test_structured'
      ? {
          annotations: { readOnlyHint: true },
          icons: [{ src: `data:image/png;base64,${PNG}`, mimeType: 'image/png' }],
          outputSchema: { type: 'object' as const, properties: { sum: { type: 'integer' } }, required: ['sum'] },
        }
      : {}),
  };
}
