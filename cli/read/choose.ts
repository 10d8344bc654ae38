/** Which resources somebody means: kinds, names, globs, labels, and all that belongs to a project. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { referencesOf, selectionsIn } from '../../schemas/refs.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import { suggest } from '../../schemas/suggest.ts';
import { isPattern, kindFor, labelSelector, namedBy, nameMatcher } from '../select.ts';

/** Names of one kind, or of all kinds. */
export interface Group {
  readonly kind: Kind | undefined;
  readonly names: readonly string[];
}

/** `servers a b`, `servers,projects`, `server/a project/b`, `all`. @param others words that stand beside the kinds there */
export function groupsBy(args: readonly string[], others: readonly string[] = []): Group[] {
  const [word = '', ...names] = args;
  if (word.includes('/')) return namedBy(args);
  return word.split(',').map((one) => ({ kind: one === 'all' ? undefined : kindFor(one, ['all', ...others]), names }));
}

/** Whether it is about one resource, and not about a list that happens to have one. */
export const isOne = ([first, ...others]: readonly Group[]): boolean =>
  first?.kind !== undefined && others.length === 0 && first.names.length === 1 && !isPattern(first.names[0] ?? '');

/** Names may be patterns; a plain one that is not there is an error. @throws SlipwayError not-found, usage */
export function chosen(resources: readonly Resource[], { kind, names }: Group, selector?: string): Resource[] {
  const all = resources.filter((resource) => kind === undefined || resource.kind === kind.kind);
  const isLabelled = selector === undefined ? () => true : labelSelector(selector);
  const isNamed = namedAmong(
    names,
    all.map(({ metadata }) => metadata.name),
    kind,
  );
  return all.filter(({ metadata }) => isNamed(metadata.name) && isLabelled(metadata.labels));
}

/** @param known names that there are @throws SlipwayError not-found, with the name that may have been meant */
export function namedAmong(
  names: readonly string[],
  known: readonly string[],
  kind?: Pick<Kind, 'kind' | 'plural'>,
): (name: string) => boolean {
  const missing = names.find((name) => !isPattern(name) && !known.includes(name));
  if (missing !== undefined) {
    const nearest = suggest(missing, known);
    throw new SlipwayError('not-found', `There is no ${kind?.kind ?? 'resource'} named ${missing}.`, {
      hint: nearest ? `Did you mean ${nearest}?` : `See \`slipway get ${kind?.plural ?? 'all'}\`.`,
    });
  }
  const matches = names.map(nameMatcher);
  return (name) => names.length === 0 || matches.some((match) => match(name));
}

/** The project, all that it names, and what that needs; and whatever is in the project or is about it. @throws SlipwayError not-found */
export function ofProject(resources: readonly Resource[], project: string): Resource[] {
  const [root] = chosen(resources, { kind: kindFor('project'), names: [project] });
  const wanted = new Set(root ? [addressOf(root)] : []);
  const selections = selectionsIn(resources);
  const refersTo = new Map(
    resources.map((resource) => [
      addressOf(resource),
      [
        ...referencesOf(resource).map(({ kind, name }) => `${kind}/${name}`),
        ...(selections.get(addressOf(resource)) ?? []),
      ],
    ]),
  );
  for (const [address, targets] of refersTo) if (root && targets.includes(addressOf(root))) wanted.add(address);
  for (const address of wanted) for (const target of refersTo.get(address) ?? []) wanted.add(target);
  return resources.filter((resource) => wanted.has(addressOf(resource)));
}
