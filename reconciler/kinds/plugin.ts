import { bytes, timerMs } from '../../schemas/kinds/fields.ts';
import type { PluginSpec } from '../../schemas/kinds/plugin.ts';
import { resolvePlugins } from '../../schemas/plugins.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { KindBehaviour } from './kind.ts';

/** What one hook may take at most, whatever it says (ms, bytes). */
const MAX_TIMEOUT = 10_000;
const MAX_MEMORY = 128 * 2 ** 20;

export const plugin: KindBehaviour<PluginSpec> = {
  contribute(resource, draft, { all }) {
    const { file, config, timeout, memory, llm, cache } = resource.spec;
    const { name } = resource.metadata;
    const plugins = all('Plugin') as readonly Resource<PluginSpec>[];
    draft.plugins ??= {};
    draft.plugins[name] = {
      ...(file === undefined ? {} : { file, code: resource.files?.[file]?.['text'] ?? '' }),
      config,
      timeoutMs: Math.min(timerMs(timeout), MAX_TIMEOUT),
      memoryBytes: Math.min(bytes(memory), MAX_MEMORY),
      ...(llm === undefined ? {} : { llm }),
      ...(cache === undefined ? {} : { cache }),
      hooks: resolvePlugins(new Map(plugins.map(({ metadata, spec }) => [metadata.name, spec]))).get(name)?.hooks ?? {},
    };
  },
};
