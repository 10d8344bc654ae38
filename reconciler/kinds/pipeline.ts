import { bytes, timerMs } from '../../schemas/kinds/fields.ts';
import type { PipelineSpec } from '../../schemas/kinds/pipeline.ts';
import type { StageEntry } from '../../schemas/pipelines.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { KindBehaviour } from './kind.ts';

/** What code of the config repo may take at most, whatever it says (ms, bytes). */
const MAX_TIMEOUT = 10_000;
const MAX_MEMORY = 128 * 2 ** 20;

export const pipeline: KindBehaviour<PipelineSpec> = {
  contribute(resource, draft) {
    const { metadata, spec } = resource;
    const { appliesTo, minBytes } = spec;
    draft.pipelines ??= {};
    draft.pipelines[metadata.name] = { appliesTo, minBytes, stages: spec.stages.map((one) => stageOf(one, resource)) };
  },
};

function stageOf(stage: PipelineSpec['stages'][number], { files }: Resource<PipelineSpec>): StageEntry {
  if (stage.type !== 'module') return stage;
  const { timeout, memory, ...rest } = stage;
  return {
    ...rest,
    code: files?.[stage.file]?.['text'] ?? '',
    timeoutMs: Math.min(timerMs(timeout), MAX_TIMEOUT),
    memoryBytes: Math.min(bytes(memory), MAX_MEMORY),
  };
}
