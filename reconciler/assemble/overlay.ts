/** What Overlays make of resources in an environment. Pure: values are patched, never text. */
import type { z } from 'zod';
import jsonpatch from 'fast-json-patch';
import { ERRORS, type ErrorCode } from '../../schemas/errors.ts';
import { glob } from '../../schemas/glob.ts';
import type { IssueContext } from '../../schemas/issue-list.ts';
import { kindOf, KINDS } from '../../schemas/kinds/index.ts';
import type { overlay as overlayKind } from '../../schemas/kinds/overlay.ts';
import { recheck } from '../../schemas/parse.ts';
import { addressOf, formatPath, isWithin, type Issue, type Origin, type Resource } from '../../schemas/resource.ts';
import { suggest } from '../../schemas/suggest.ts';
import { compareText } from '../compile.ts';
import type { Assembled } from './assemble.ts';

type Spec = z.output<typeof overlayKind.spec>;
type Overlay = Resource<Spec>;
type Patch = Spec['patches'][number];

const KIND = KINDS.Overlay.kind;

export const overlaysIn = (resources: readonly Resource[]): Overlay[] =>
  resources.filter((resource): resource is Overlay => resource.kind === KIND);

/**
 * @param refused addresses of what has issues of its own: a target among them is no mistake of the Overlay
 * @returns the resources with all that the environment's Overlays change, by `order` and then by name
 */
export function overlaid(resources: readonly Resource[], environment: string, refused: readonly string[]): Assembled {
  const overlays = overlaysIn(resources)
    .filter(({ spec }) => spec.environments.includes(environment))
    .sort((a, b) => a.spec.order - b.spec.order || compareText(a.metadata.name, b.metadata.name));
  const result = [...resources];
  const issues: Issue[] = [];
  for (const overlay of overlays)
    for (const [index, patch] of overlay.spec.patches.entries()) {
      const { target } = patch;
      const wrong = wrongKind(overlay, index, target.kind);
      if (wrong) issues.push(wrong);
      if (wrong) continue;
      // Whom a patch is for does not depend on what others did before.
      const isMatch = matcher(target);
      const matches = resources.flatMap((resource, at) => (isMatch(resource) ? [at] : []));
      if (matches.length === 0 && !refused.some((address) => isMatch(unlabelled(address))))
        issues.push(unmatched(overlay, index, target, resources));
      for (const at of matches) result[at] = patched(result[at] as Resource, { overlay, index, patch }, issues);
    }
  return { resources: result, issues };
}

function wrongKind(overlay: Overlay, index: number, word: string): Issue | undefined {
  const kind = kindOf(word);
  if (kind?.isBlueprint)
    return issueAt(overlay, [index], {
      code: 'invalid-value',
      path: ['target', 'kind'],
      message: `Overlays do not change ${kind.plural}: those are used before them.`,
    });
  if (kind) return undefined;
  const nearest = suggest(word, Object.keys(KINDS));
  return issueAt(overlay, [index], {
    code: 'unknown-kind',
    path: ['target', 'kind'],
    message: `There is no kind ${JSON.stringify(word)}.`,
    ...(nearest === undefined ? {} : { hint: `Did you mean ${nearest}?` }),
  });
}

type Target = Patch['target'];

function matcher({ kind, name, labels }: Target): (resource: Pick<Resource, 'kind' | 'metadata'>) => boolean {
  const isNamed = glob(name);
  const wanted = Object.entries(labels);
  return ({ kind: given, metadata }) =>
    given === kind &&
    isNamed(metadata.name) &&
    wanted.every(([key, value]) => Object.hasOwn(metadata.labels, key) && metadata.labels[key] === value);
}

/** What is known of a resource that could not be read: what it is called. */
function unlabelled(address: string): Pick<Resource, 'kind' | 'metadata'> {
  const [kind = '', name = ''] = address.split('/');
  return { kind, metadata: { name, labels: {}, annotations: {} } };
}

function unmatched(overlay: Overlay, index: number, target: Target, resources: readonly Resource[]): Issue {
  const labels = Object.entries(target.labels).map(([key, value]) => `${key}=${value}`);
  const what = `${target.kind}/${target.name}${labels.length > 0 ? ` with ${labels.join(', ')}` : ''}`;
  const names = resources.flatMap(({ kind, metadata }) => (kind === target.kind ? [metadata.name] : []));
  const nearest = suggest(target.name, names);
  return issueAt(overlay, [index], {
    code: 'overlay-unmatched',
    path: ['target'],
    message: `No resource matches ${what}.`,
    ...(nearest === undefined || nearest === target.name ? {} : { hint: `Did you mean ${nearest}?` }),
  });
}

interface Use {
  readonly overlay: Overlay;
  /** Which of its patches. */
  readonly index: number;
  readonly patch: Patch;
}

/** All operations or none: a resource half patched would be nobody's wish. */
function patched(resource: Resource, { overlay, index, patch }: Use, issues: Issue[]): Resource {
  const document = structuredClone({ metadata: resource.metadata, spec: resource.spec }) as object;
  const origins: Origin[] = [];
  const where = `${addressOf(resource)} at ${resource.source.file}:${resource.source.line}`;
  for (const [at, operation] of patch.patch.entries()) {
    const path = partsOf(operation.path, document);
    try {
      jsonpatch.applyOperation(document, structuredClone(operation) as jsonpatch.Operation, true, true);
    } catch (error) {
      const reason = REASONS[(error as { name?: string }).name ?? ''] ?? 'it is malformed';
      const message = `${operation.op} ${operation.path} (operation ${at + 1}) does not apply to ${where}: ${reason}.`;
      issues.push(issueAt(overlay, [index, at], { code: 'overlay-failed', path: [], message }));
      return resource;
    }
    if (operation.op !== 'test')
      origins.push({ path: formatPath(path), from: addressOf(overlay), ...placeOf(overlay, [index, at]) });
  }
  const found: Issue[] = [];
  // What an operation wrote, or what it wrote into.
  const place: IssueContext['place'] = (path) => {
    const wrong = formatPath(path);
    const origin = origins.findLast((one) => isWithin(wrong, one.path) || isWithin(one.path, wrong));
    return { line: origin?.line ?? lineOf(overlay, [index]), column: 1 };
  };
  const context: IssueContext = { file: overlay.source.file, issues: found, place };
  const kind = kindOf(resource.kind);
  const checked = kind && recheck(context, kind, document as { metadata: unknown; spec: unknown });
  issues.push(...found.map((issue) => ({ ...issue, message: `${issue.message.replace(/\.$/, '')} in ${where}.` })));
  if (!checked) return resource;
  return {
    ...resource,
    ...checked,
    ...linesLeft(resource, origins),
    origins: [...(resource.origins ?? []), ...origins],
  };
}

const REASONS: Readonly<Record<string, string>> = {
  TEST_OPERATION_FAILED: 'there is another value',
  OPERATION_PATH_UNRESOLVABLE: 'there is nothing at that path',
  OPERATION_FROM_UNRESOLVABLE: 'there is nothing to take',
  OPERATION_PATH_CANNOT_ADD: 'there is nothing to add it to',
  OPERATION_VALUE_OUT_OF_BOUNDS: 'the list is shorter than that',
  OPERATION_PATH_ILLEGAL_ARRAY_INDEX: 'a list has numbers, or - for its end',
};

/** `/spec/env/-` → `['spec', 'env', 2]` where there are two. */
function partsOf(pointer: string, document: object): PropertyKey[] {
  let value: unknown = document;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const list = Array.isArray(value) ? value : undefined;
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
      if (!list) return key;
      return key === '-' ? list.length : Number(key);
    });
}

/** Lines of what an operation changed, or may have moved in its list, are those of the document no more. */
function linesLeft({ lines }: Resource, origins: readonly Origin[]): Pick<Resource, 'lines'> {
  if (!lines) return {};
  const touched = origins.map(({ path }) => path.replace(/\[\d+\]$/, ''));
  const left = Object.entries(lines).filter(([path]) => !touched.some((outer) => isWithin(`spec.${path}`, outer)));
  return { lines: Object.fromEntries(left) };
}

interface NewIssue {
  readonly code: ErrorCode;
  /** Below the patch, or the operation. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly hint?: string;
}

/** @param at of which patch, and of which of its operations */
function issueAt(overlay: Overlay, at: readonly number[], { code, path, message, hint }: NewIssue): Issue {
  return {
    file: overlay.source.file,
    line: lineOf(overlay, at),
    column: 1,
    path: formatPath(['spec', ...fieldOf(at), ...path]),
    code,
    message,
    hint: hint ?? ERRORS[code].hint,
  };
}

const fieldOf = ([index = 0, at]: readonly number[]): (string | number)[] =>
  at === undefined ? ['patches', index] : ['patches', index, 'patch', at];

const lineOf = ({ lines, source }: Overlay, at: readonly number[]): number =>
  lines?.[formatPath(fieldOf(at))] ?? source.line;

const placeOf = (overlay: Overlay, at: readonly number[]): { file: string; line: number } => ({
  file: overlay.source.file,
  line: lineOf(overlay, at),
});
