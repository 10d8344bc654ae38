/** Whether a route has a gate, as the snapshot has it. */
import type { z } from 'zod';
import { bytes, milliseconds } from '../../../schemas/kinds/fields.ts';
import type { project } from '../../../schemas/kinds/project.ts';
import type { Route } from '../../../schemas/snapshot.ts';

export function withGate({ gate }: Pick<z.output<typeof project.spec>, 'gate'>): Pick<Route, 'gate'> {
  if (!gate?.enabled) return {};
  const { budget, ttl, selection, proposals } = gate;
  return {
    gate: {
      budgetBytes: bytes(budget),
      ttlMs: milliseconds(ttl),
      ...(selection === 'model' ? { byModel: true } : {}),
      ...(proposals ? { proposals: true } : {}),
    },
  };
}
