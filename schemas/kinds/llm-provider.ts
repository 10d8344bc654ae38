import { z } from 'zod';
import { LLM_TIERS, LLM_TYPE_NAMES, LLM_TYPES, type LlmType, type LlmTypeName } from '../llm.ts';
import { headers, secretsOf } from './fields/auth.ts';
import { duration, httpUrl, secretRef } from './fields.ts';
import { defineKind, type Problem } from './kind.ts';
import type { Resource } from '../resource.ts';

const typeOf = (name: LlmTypeName): LlmType => LLM_TYPES[name];
const withoutUrl = LLM_TYPE_NAMES.filter((type) => typeOf(type).url === undefined);
const keyed = LLM_TYPE_NAMES.filter((type) => typeOf(type).url !== undefined && !typeOf(type).local);

const INSECURE_KEY = 'needs an https url, unless it is in a private network';

const llmProviderSpec = z
  .strictObject({
    description: z.string().max(4096).optional().describe('What it is for.'),
    type: z
      .enum(LLM_TYPE_NAMES)
      .describe('Whose model it is. openai-compatible: any other that speaks OpenAI’s chat completions.'),
    model: z
      .string()
      .regex(/^[!-~]+$/, 'must be visible ASCII without spaces')
      .max(256)
      .describe('What the provider calls the model; for azure, the deployment.'),
    url: httpUrl
      .optional()
      .describe(
        'Where its API is, up to what stands before /chat/completions, /messages or /models. Default: the provider’s own; for ollama and vllm, this host.',
      ),
    privateNetwork: z
      .boolean()
      .default(false)
      .describe('Let the url lead to a private address: this host, or a network that is no part of the Internet.'),
    apiKey: secretRef.optional().describe('The key, from a Secret.'),
    headers: headers.optional().describe('Headers to send besides, with every request.'),
    tier: z
      .enum(LLM_TIERS)
      .optional()
      .describe('What it is used for where none is named. fast: titles and summaries; heavy: what needs thought.'),
    default: z.boolean().default(false).describe('Use it where no other can be had. Only one provider may be.'),
    timeout: duration.default('60s').describe('How long one answer may take, with all tries.'),
    maxOutputTokens: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(2048)
      .describe('The longest answer, in tokens: what costs has an end.'),
    maxConcurrent: z.int().min(1).max(256).default(4).describe('How many requests may run at the same time.'),
  })
  .check((check) => {
    const { type, url, apiKey, headers: more, privateNetwork } = check.value;
    const refuse = (path: string, message: string, conflict = false): void => {
      check.issues.push({
        code: 'custom',
        input: check.value,
        path: [path],
        message,
        ...(conflict ? { params: { conflict } } : {}),
      });
    };
    if (url === undefined && withoutUrl.includes(type)) refuse('url', `must be given for type ${type}`);
    if (url === undefined && !apiKey && !more && keyed.includes(type))
      refuse('apiKey', `must be given for type ${type}, unless there is a url or headers`);
    if (url === undefined && privateNetwork) refuse('privateNetwork', 'means nothing without a url', true);
    // Token theft: whoever sits on the way reads what is not encrypted.
    if (url?.startsWith('http:') && !privateNetwork) {
      if (apiKey) refuse('apiKey', INSECURE_KEY);
      if (more) refuse('headers', INSECURE_KEY);
    }
  })
  .meta({
    not: {
      anyOf: [
        { properties: { type: { enum: withoutUrl } }, required: ['type'], not: { required: ['url'] } },
        {
          properties: { type: { enum: keyed } },
          required: ['type'],
          not: { anyOf: [{ required: ['url'] }, { required: ['apiKey'] }, { required: ['headers'] }] },
        },
        {
          properties: { privateNetwork: { const: true } },
          required: ['privateNetwork'],
          not: { required: ['url'] },
        },
        {
          properties: { url: { pattern: '^http:' } },
          required: ['url'],
          anyOf: [{ required: ['apiKey'] }, { required: ['headers'] }],
          not: { properties: { privateNetwork: { const: true } }, required: ['privateNetwork'] },
        },
      ],
    },
  });

export type LlmProviderSpec = z.output<typeof llmProviderSpec>;

export const llmProvider = defineKind({
  kind: 'LlmProvider',
  plural: 'llmproviders',
  short: ['llm'],
  description: 'A language model that Slipway itself may ask: for summaries, titles and the like.',
  spec: llmProviderSpec,
  references: ({ apiKey, headers: more }) => [
    ...(apiKey
      ? [
          {
            path: ['apiKey', 'secretRef'],
            kind: 'Secret',
            name: apiKey.secretRef.name,
            keys: [apiKey.secretRef.key],
          },
        ]
      : []),
    ...(more ? secretsOf({ headers: more }) : []).map(({ path, secretRef: { name, key } }) => ({
      path,
      kind: 'Secret',
      name,
      keys: [key],
    })),
  ],
  together: (providers) => oneDefault(providers),
  example: `apiVersion: slipway/v1
kind: LlmProvider
metadata: { name: local }
spec:
  type: ollama
  model: llama3.2
  tier: fast
`,
});

function oneDefault(providers: readonly Resource<LlmProviderSpec>[]): Problem[] {
  const [first, ...others] = providers.filter(({ spec }) => spec.default);
  return others.map((resource) => ({
    resource,
    path: ['default'],
    code: 'conflicting-fields',
    message: `${first?.metadata.name} is the default already.`,
    hint: 'Keep one of the two.',
  }));
}
