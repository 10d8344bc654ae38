/** The part of pipelines that runs on a thread of its own: what takes long, and what the clock must be able to end. */
import { redactValue } from '../../schemas/secret-shapes.ts';
import type { StageEntry } from '../../schemas/pipelines.ts';
import type { Part } from './part.ts';
import type { Side } from '../worker-main.ts';
import { applyStage, redactor, type About } from './stages.ts';

export type ResultWork =
  | { readonly stage: StageEntry; readonly result: Part; readonly about: About }
  /** Secrets are to be taken out of any JSON value. */
  | { readonly patterns: readonly string[]; readonly value: unknown };

/** @throws Error what is wrong */
export async function workOnResult(work: ResultWork, side: Side): Promise<unknown> {
  if ('stage' in work) return applyStage(work.result, work.stage, work.about, side);
  return redactValue(work.value, redactor(work.patterns)).value;
}
