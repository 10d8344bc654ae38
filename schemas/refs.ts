/** Checks that need all resources at once: duplicates, singletons, references, circles. Pure. */
import { ERRORS, type ErrorCode } from './errors.ts';
import { kindOf } from './kinds/index.ts';
import type { All, Reference } from './kinds/kind.ts';
import { addressOf, formatPath, originOf, type Issue, type Resource } from './resource.ts';
import { suggest } from './suggest.ts';

/**
 * Issues of a set of resources that are each fine on their own. Order of the input does not matter to which are found.
 * @param refused addresses that exist but have issues of their own; one mistake is not reported twice
 */
export function checkTogether(resources: readonly Resource[], refused: readonly string[] = []): Issue[] {
  const byAddress = new Map<string, Resource>();
  const issues: Issue[] = [];
  for (const resource of [...resources].sort(bySource)) {
    const first = byAddress.get(addressOf(resource));
    if (first) issues.push(duplicate(resource, first));
    else byAddress.set(addressOf(resource), resource);
  }
  const unique = [...byAddress.values()];
  const byKind = Map.groupBy(unique, (resource) => resource.kind);
  return [
    ...issues,
    ...singletons(unique),
    ...unique.flatMap((resource) => dangling(resource, byAddress, new Set(refused))),
    ...cycles(unique, byAddress),
    ...[...byKind.keys()].flatMap((kind) => beside(kind, (wanted) => byKind.get(wanted) ?? [])),
  ];
}

/** All references of a resource, the project in its metadata included. Paths start at the document. */
export function referencesOf(resource: Resource): Reference[] {
  const own = kindOf(resource.kind)?.references(resource.spec) ?? [];
  const refs = own.map((reference) => ({ ...reference, path: ['spec', ...reference.path] }));
  const { project } = resource.metadata;
  const { madeFrom } = resource;
  return [
    ...(project === undefined ? [] : [{ path: ['metadata', 'project'], kind: 'Project', name: project }]),
    ...(madeFrom === undefined ? [] : [{ path: ['spec', 'template', 'name'], kind: 'Template', name: madeFrom }]),
    ...refs,
  ];
}

/** Addresses of what resources reach without naming it, by the address of whose selector it is; those without one are left out. */
export function selectionsIn(resources: readonly Resource[]): ReadonlyMap<string, readonly string[]> {
  const byKind = Map.groupBy(resources, ({ kind }) => kind);
  const all: All = (kind) => byKind.get(kind) ?? [];
  return new Map(
    resources.flatMap((resource) => {
      const selected = kindOf(resource.kind)?.selects?.(resource.spec, all, resource.metadata.name) ?? [];
      return selected.length === 0 ? [] : [[addressOf(resource), selected.map(({ kind, name }) => `${kind}/${name}`)]];
    }),
  );
}

function duplicate(resource: Resource, first: Resource): Issue {
  const where = `${first.source.file}:${first.source.line}`;
  return issueAt(
    resource,
    ['metadata', 'name'],
    'duplicate-resource',
    `${addressOf(resource)} is already defined at ${where}.`,
  );
}

function singletons(resources: readonly Resource[]): Issue[] {
  const seen = new Map<string, Resource>();
  return resources.flatMap((resource) => {
    if (!kindOf(resource.kind)?.singleton) return [];
    const first = seen.get(resource.kind);
    seen.set(resource.kind, first ?? resource);
    if (!first) return [];
    const where = `${first.source.file}:${first.source.line}`;
    return [
      issueAt(
        resource,
        ['kind'],
        'singleton',
        `There is already a ${resource.kind}, ${first.metadata.name}, at ${where}.`,
      ),
    ];
  });
}

function dangling(resource: Resource, byAddress: ReadonlyMap<string, Resource>, refused: ReadonlySet<string>): Issue[] {
  return referencesOf(resource).flatMap((reference) => {
    const address = `${reference.kind}/${reference.name}`;
    const target = byAddress.get(address);
    const builtIn = kindOf(reference.kind)?.builtIn ?? [];
    if (!target && (refused.has(address) || builtIn.includes(reference.name))) return [];
    if (!target) {
      const names = [...byAddress.values()]
        .filter((candidate) => candidate.kind === reference.kind)
        .map((candidate) => candidate.metadata.name)
        .concat(builtIn);
      const message = `There is no ${reference.kind} named ${reference.name}.`;
      return [issueAt(resource, reference.path, 'dangling-reference', message, nearest(reference.name, names))];
    }
    const wanted = reference.keys ?? [];
    const known = kindOf(target.kind)?.keys?.(target.spec, target.files) ?? wanted;
    // A single key was written down as such; several are what the field's meaning asks for.
    const path = wanted.length === 1 ? [...reference.path, 'key'] : reference.path;
    return wanted
      .filter((key) => !known.includes(key))
      .map((key) => {
        const message = `${reference.kind} ${reference.name} has no key ${key}.`;
        return issueAt(resource, path, 'dangling-reference', message, nearest(key, known));
      });
  });
}

/** What a kind itself finds wrong with its resources beside one another. */
function beside(kind: string, all: All): Issue[] {
  const problems = kindOf(kind)?.together?.(all(kind), all) ?? [];
  return problems.map(({ resource, path, code, message, hint }) =>
    issueAt(resource, ['spec', ...path], code, message, hint),
  );
}

/** Depth-first search over the references that must not form a circle; each circle is reported once, as a path. */
function cycles(resources: readonly Resource[], byAddress: ReadonlyMap<string, Resource>): Issue[] {
  const done = new Set<string>();
  const issues: Issue[] = [];
  const walk = (resource: Resource, trail: readonly string[]): void => {
    const address = addressOf(resource);
    if (done.has(address)) return;
    for (const reference of referencesOf(resource)) {
      if (!reference.acyclic) continue;
      const next = `${reference.kind}/${reference.name}`;
      const path = [...trail, address];
      const start = path.indexOf(next);
      const target = byAddress.get(next);
      if (start >= 0)
        issues.push(
          issueAt(resource, reference.path, 'reference-cycle', `${[...path.slice(start), next].join(' → ')}.`),
        );
      else if (target) walk(target, path);
    }
    done.add(address);
  };
  for (const resource of resources) walk(resource, []);
  return issues;
}

function issueAt(
  resource: Resource,
  path: readonly PropertyKey[],
  code: ErrorCode,
  message: string,
  hint?: string,
): Issue {
  const field = { path: formatPath(path), code, hint: hint ?? ERRORS[code].hint };
  const origin = originOf(resource, field.path);
  if (!origin) return { ...resource.source, ...field, message };
  const { file, line } = resource.source;
  const whose = `${addressOf(resource)} at ${file}:${line}`;
  return {
    file: origin.file,
    line: origin.line,
    column: 1,
    ...field,
    message: `${message.replace(/\.$/, '')}, for ${whose}.`,
  };
}

function nearest(word: string, known: readonly string[]): string | undefined {
  const found = suggest(word, known);
  if (found !== undefined) return `Did you mean ${found}?`;
  return known.length > 0 && known.length <= 10 ? `There is: ${known.join(', ')}.` : undefined;
}

const bySource = (a: Resource, b: Resource): number =>
  a.source.file < b.source.file ? -1 : a.source.file > b.source.file ? 1 : a.source.line - b.source.line;
