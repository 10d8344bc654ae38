import type { LlmProviderSpec } from '../../schemas/kinds/llm-provider.ts';
import { timerMs } from '../../schemas/kinds/fields.ts';
import { LLM_TYPES, type LlmType } from '../../schemas/llm.ts';
import { secretUse, upstreamAuth } from './fields/auth.ts';
import type { KindBehaviour } from './kind.ts';

export const llmProvider: KindBehaviour<LlmProviderSpec> = {
  contribute({ metadata, spec }, draft, context) {
    const { type, model, apiKey, tier, maxOutputTokens, maxConcurrent } = spec;
    const own: LlmType = LLM_TYPES[type];
    const key = apiKey && secretUse(apiKey.secretRef, context);
    const { headers } = upstreamAuth({ headers: spec.headers ?? [] }, (ref) => secretUse(ref, context));
    draft.llms.push({
      name: metadata.name,
      type,
      model,
      url: spec.url ?? own.url ?? '',
      // Without a url, the local one is this host and nothing else.
      publicOnly: spec.url === undefined ? !own.local : !spec.privateNetwork,
      ...(key ? { apiKey: key } : {}),
      ...(headers.length === 0 ? {} : { headers }),
      ...(tier === undefined ? {} : { tier }),
      isDefault: spec.default,
      timeoutMs: timerMs(spec.timeout),
      maxOutputTokens,
      maxConcurrent,
    });
  },
};
