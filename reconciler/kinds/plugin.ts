import { bytes, timerMs } from '../../schemas/kinds/fields.ts';
import type { PluginSpec } from '../../schemas/kinds/plugin.ts';
import { resolvePlugins, toolOwners } from '../../schemas/plugins.ts';
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
    const specs = new Map(plugins.map(({ metadata, spec }) => [metadata.name, spec]));
    const tools = [...toolOwners(specs, name)].flatMap(([tool, [owner = name]]) =>
      (specs.get(owner)?.tools ?? []).filter((one) => one.name === tool).map((one) => ({ ...one, owner })),
    );
    draft.plugins ??= {};
    draft.plugins[name] = {
      ...(file === undefined ? {} : { file, code: resource.files?.[file]?.['text'] ?? '' }),
      config,
      timeoutMs: Math.min(timerMs(timeout), MAX_TIMEOUT),
      memoryBytes: Math.min(bytes(memory), MAX_MEMORY),
      ...(llm === undefined ? {} : { llm }),
      ...(cache === undefined ? {} : { cache }),
      hooks: resolvePlugins(specs).get(name)?.hooks ?? {},
      ...(tools.length === 0 ? {} : { tools }),
    };
  },
};
