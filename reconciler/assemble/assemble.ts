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

/** What the resources are in an environment, before they are checked together. */
export interface Shape extends Assembled {
  /** Absent: where no Overlay is in force. */
  readonly environment?: string;
}

export interface Shapes {
  /** What counts. */
  readonly inForce: Shape;
  /** What would, elsewhere. */
  readonly others: readonly Shape[];
}

/**
 * @param refused addresses of what has issues of its own
 * @throws SlipwayError unknown-environment: a wrong name must not bring what is meant for elsewhere
 */
export function shapesOf(
  parsed: readonly Resource[],
  refused: readonly string[],
  environment: string | undefined,
): Shapes {
  const known = environmentsIn(parsed);
  // An Overlay that cannot be read may be the one.
  const isKnown = environment === undefined || known.includes(environment) || refused.some(isOverlay);
  if (!isKnown) throw unknownEnvironment(environment, known);
  const made = expanded(parsed);
  const shape = (name: string | undefined): Shape => {
    if (name === undefined) return made;
    const { resources, issues } = overlaid(made.resources, name, refused);
    return { environment: name, resources, issues: [...made.issues, ...issues] };
  };
  const others = [undefined, ...known].filter((name) => name !== environment);
  return { inForce: shape(environment), others: others.map(shape) };
}

/** Which shapes are checked: without an environment, all, so that a mistake shows before anybody goes there. */
export const checkedIn = ({ inForce, others }: Shapes): readonly Shape[] =>
  inForce.environment === undefined ? [inForce, ...others] : [inForce];

/** What is in force, with all that is wrong there or elsewhere: each once, however many environments it is in. */
export function judge(shapes: Shapes, refused: readonly string[]): Assembled {
  const [inForce = shapes.inForce, ...others] = checkedIn(shapes);
  const issues = issuesIn(inForce, refused);
  const told = new Set(issues.map(formatIssue));
  const found = others.flatMap((shape) =>
    issuesIn(shape, refused).map((issue) => ({ issue, name: shape.environment, text: formatIssue(issue) })),
  );
  const elsewhere = [...Map.groupBy(found, ({ text }) => text)].flatMap(([text, [first, ...more]]): Issue[] => {
    if (!first || told.has(text)) return [];
    const names = [first, ...more].map(({ name }) => name).join(', ');
    return [{ ...first.issue, message: `${first.issue.message} (environment ${names})` }];
  });
  return { resources: inForce.resources, issues: [...issues, ...elsewhere] };
}

function issuesIn({ resources, issues }: Shape, refused: readonly string[]): Issue[] {
  return [...issues, ...checkTogether(resources, refused)];
}

const isOverlay = (address: string): boolean => address.startsWith('Overlay/');

const environmentsIn = (resources: readonly Resource[]): string[] =>
  [...new Set(overlaysIn(resources).flatMap(({ spec }) => spec.environments))].sort(compareText);

function unknownEnvironment(name: string, known: readonly string[]): SlipwayError {
  const nearest = suggest(name, known);
  const there = known.length > 0 ? `There is: ${known.join(', ')}.` : ERRORS['unknown-environment'].hint;
  return new SlipwayError('unknown-environment', `No Overlay is for the environment ${name}.`, {
    hint: nearest === undefined ? there : `Did you mean ${nearest}?`,
  });
}
