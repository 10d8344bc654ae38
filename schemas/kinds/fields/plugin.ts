/** Which Plugin takes part in what goes through a route (Project, Gateway). */
import { name } from '../fields.ts';
import type { Reference } from '../kind.ts';

export const plugin = name.optional().describe('Plugin whose hooks take part in what goes through.');

export function pluginReference(given: string | undefined): readonly Reference[] {
  return given === undefined ? [] : [{ path: ['plugin'], kind: 'Plugin', name: given }];
}
