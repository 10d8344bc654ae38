/** From the resources of all files to those of an environment, and to what is wrong with them together. Pure. */
import { ERRORS, SlipwayError } from '../../schemas/errors.ts';
import { checkTogether } from '../../schemas/refs.ts';
import { formatIssue, type Issue, type Resource } from '../../schemas/resource.ts';
import { suggest } from '../../schemas/suggest.ts';
import { compareText } from '../compile.ts';
import { overlaid, overlaysIn } from './overlay.ts';
import { expanded } from './template.ts';

export interface Assembled {
  readonly resources: readonly Resource[];
  readonly issues: readonly Issue[];
}

/**
 * @param refused addresses of what has issues of its own
 * @param environment without one, no Overlay is in force, and each environment is checked: a mistake shows before anybody
 *   goes there
 * @throws SlipwayError unknown-environment: a wrong name must not bring what is meant for elsewhere
 */
export function assemble(
  parsed: readonly Resource[],
  refused: readonly string[],
  environment: string | undefined,
): Assembled {
  const known = environmentsIn(parsed);
  const made = expanded(parsed);
  if (environment !== undefined) {
    // An Overlay that cannot be read may be the one.
    const isKnown = known.includes(environment) || refused.some((address) => address.startsWith('Overlay/'));
    if (!isKnown) throw unknownEnvironment(environment, known);
    return inEnvironment(made, refused, environment);
  }
  const base = together(made, refused);
  const told = new Set(base.issues.map(formatIssue));
  const found = known.flatMap((name) =>
    inEnvironment(made, refused, name).issues.map((issue) => ({ issue, name, text: formatIssue(issue) })),
  );
  // Each once, however many environments it is in.
  const others = [...Map.groupBy(found, ({ text }) => text)].flatMap(([text, [first, ...more]]): Issue[] => {
    if (!first || told.has(text)) return [];
    const names = [first, ...more].map(({ name }) => name).join(', ');
    return [{ ...first.issue, message: `${first.issue.message} (environment ${names})` }];
  });
  return { ...base, issues: [...base.issues, ...others] };
}

function inEnvironment(made: Assembled, refused: readonly string[], environment: string): Assembled {
  const { resources, issues } = overlaid(made.resources, environment, refused);
  return together({ resources, issues: [...made.issues, ...issues] }, refused);
}

function together({ resources, issues }: Assembled, refused: readonly string[]): Assembled {
  return { resources, issues: [...issues, ...checkTogether(resources, refused)] };
}

const environmentsIn = (resources: readonly Resource[]): string[] =>
  [...new Set(overlaysIn(resources).flatMap(({ spec }) => spec.environments))].sort(compareText);

function unknownEnvironment(name: string, known: readonly string[]): SlipwayError {
  const nearest = suggest(name, known);
  const there = known.length > 0 ? `There is: ${known.join(', ')}.` : ERRORS['unknown-environment'].hint;
  return new SlipwayError('unknown-environment', `No Overlay is for the environment ${name}.`, {
    hint: nearest === undefined ? there : `Did you mean ${nearest}?`,
  });
}
