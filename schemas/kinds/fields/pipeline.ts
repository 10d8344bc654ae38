/** Which Pipeline results go through (Project, its overrides, Server, Gateway). */
import { name } from '../fields.ts';
import type { Reference } from '../kind.ts';

export const pipeline = name
  .optional()
  .describe('Pipeline that results go through before an agent gets them; none: no pipeline.');

/** @param path where it stands, below `spec` */
export function pipelineReference(
  given: string | undefined,
  path: Reference['path'] = ['pipeline'],
): readonly Reference[] {
  return given === undefined ? [] : [{ path, kind: 'Pipeline', name: given }];
}
