/** The part of pipelines that runs on a thread of its own: what takes long, and what the clock must be able to end. */
import { redactValue } from '../../schemas/secret-shapes.ts';
import type { StageEntry } from '../../schemas/pipelines.ts';
import type { Part } from './part.ts';
import { applyStage, redactor, type About } from './stages.ts';

export type ResultWork =
  | { readonly stage: StageEntry; readonly result: Part; readonly about: About }
  /** Secrets are to be taken out of any JSON value. */
  | { readonly patterns: readonly string[]; readonly value: unknown };

/** @throws Error what is wrong */
export async function workOnResult(work: ResultWork): Promise<unknown> {
  if ('stage' in work) return applyStage(work.result, work.stage, work.about);
  return redactValue(work.value, redactor(work.patterns)).value;
}
