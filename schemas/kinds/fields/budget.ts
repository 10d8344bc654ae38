/** Which Budget the calls through a route count on (Project, Gateway). */
import type { Resource } from '../../resource.ts';
import { name } from '../fields.ts';
import type { All, Problem, Reference } from '../kind.ts';

export const budget = name
  .optional()
  .describe(
    'Budget that calls through here count on, besides its own subjects. One without subjects then counts what comes through whoever names it, and no longer all calls.',
  );

export function budgetReference(given: string | undefined): readonly Reference[] {
  return given === undefined ? [] : [{ path: ['budget'], kind: 'Budget', name: given }];
}

/** What names a Budget in its `budget`: addresses, Projects first, each in the config's order. */
export function whoNames(budgetName: string, all: All): Pick<Reference, 'kind' | 'name'>[] {
  return ['Project', 'Gateway'].flatMap((kind) =>
    all(kind)
      .filter(({ spec }) => (spec as { budget?: string }).budget === budgetName)
      .map(({ metadata }) => ({ kind, name: metadata.name })),
  );
}

/** The route /mcp is no project: a Budget that each project has for itself would count nothing there. */
export function budgetOfNoProject(
  gateways: readonly Resource<{ readonly budget?: string | undefined }>[],
  all: All,
): Problem[] {
  return gateways.flatMap((resource): Problem[] => {
    const own = all('Budget').find(({ metadata }) => metadata.name === resource.spec.budget);
    if ((own?.spec as { per?: string } | undefined)?.per !== 'project') return [];
    const message = `Budget ${resource.spec.budget} is one per project, and /mcp is none: it would count nothing here.`;
    return [{ resource, path: ['budget'], code: 'conflicting-fields', message }];
  });
}
