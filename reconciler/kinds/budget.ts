import type { z } from 'zod';
import { PERIODS, type BudgetWindow } from '../../schemas/budgets.ts';
import { milliseconds } from '../../schemas/kinds/fields.ts';
import { whoNames } from '../../schemas/kinds/fields/budget.ts';
import type { budget as schema } from '../../schemas/kinds/budget.ts';
import type { KindBehaviour } from './kind.ts';

type Spec = z.output<typeof schema.spec>;

export const budget: KindBehaviour<Spec> = {
  contribute({ metadata, spec }, draft, { all }) {
    const { per, calls, resultTokens, cost, warnAt, mode } = spec;
    const named = (kind: Spec['subjects'][number]['kind']): string[] =>
      spec.subjects.filter((subject) => subject.kind === kind).map(({ name }) => name);
    const naming = whoNames(metadata.name, all).map(({ kind, name }) => (kind === 'Project' ? pathOf(name) : '/mcp'));
    draft.budgets.push({
      name: metadata.name,
      principals: [...named('Token').map((name) => `token:${name}`), ...named('User').map((name) => `user:${name}`)],
      groups: named('Group'),
      routes: [...new Set([...named('Project').map(pathOf), ...naming])],
      per,
      window: windowOf(spec),
      ...(calls === undefined ? {} : { calls }),
      ...(resultTokens === undefined ? {} : { tokens: resultTokens }),
      ...(cost ? { cost: cost.units } : {}),
      prices: cost?.prices ?? [],
      warnAt,
      enforce: mode === 'enforce',
    });
  },
};

const pathOf = (project: string): string => `/projects/${project}/mcp`;

function windowOf({ window, timeZone }: Spec): BudgetWindow {
  const period = PERIODS.find((known) => known === window);
  return period ? { period, timeZone } : { slidingMs: milliseconds(window) };
}
