/** How much of a route's tools is listed, as the snapshot has it. */
import type { project } from '../../../schemas/kinds/project.ts';
import type { Route } from '../../../schemas/snapshot.ts';
import type { z } from 'zod';

type Spec = Pick<z.output<typeof project.spec>, 'discovery' | 'embedServerSummaries'>;

export function withDiscovery({ discovery: mode, embedServerSummaries: summaries }: Spec): Pick<Route, 'discovery'> {
  if (mode === 'full') return {};
  return { discovery: { mode, ...(summaries?.enabled ? { summaries: summaries.maxServers } : {}) } };
}
