/** What changed between two versions of a resource, field by field, with secrets masked. Pure. */
import canonicalize from 'canonicalize';
import jsonpatch from 'fast-json-patch';
import { kindOf } from '../schemas/kinds/index.ts';
import type { Change, FieldChange } from '../schemas/plan.ts';
import type { Resource } from '../schemas/resource.ts';
import { MASK } from '../schemas/sensitive.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Path = readonly (string | number)[];

/** The part of a resource that a plan compares. Where it was written does not matter. */
export function comparable(resource: Resource | undefined): Json | undefined {
  if (!resource) return undefined;
  const { metadata, spec, files } = resource;
  return JSON.parse(JSON.stringify({ metadata, spec, ...(files ? { files } : {}) })) as Json;
}

export function sameResource(a: Resource | undefined, b: Resource | undefined): boolean {
  if (a === b) return true;
  if (!a || !b) return false;
  // Most are written in the same order, and nothing has to be sorted to see it.
  if (textOf(a) === textOf(b)) return true;
  return canonicalize(comparable(a)) === canonicalize(comparable(b));
}

const textOf = ({ metadata, spec, files }: Resource): string => JSON.stringify([metadata, spec, files]);

export function diffResources(
  before: Resource | undefined,
  after: Resource | undefined,
): Pick<Change, 'fields' | 'patch'> {
  if (sameResource(before, after)) return { fields: [], patch: [] };
  const kind = kindOf(after?.kind ?? before?.kind ?? '');
  const isSensitive = (path: Path): boolean => path[0] === 'spec' && (kind?.sensitive?.(path.slice(1)) ?? false);
  const old = flatten(comparable(before));
  const now = flatten(comparable(after));
  const fields: FieldChange[] = [];
  for (const [path, entry] of new Map([...old, ...now])) {
    const left = old.get(path)?.value;
    const right = now.get(path)?.value;
    if (left === right) continue;
    fields.push(fieldChange(path, left, right, isSensitive(entry.path)));
  }
  const patch = jsonpatch.compare(
    (masked(comparable(before), isSensitive, []) ?? {}) as object,
    (masked(comparable(after), isSensitive, []) ?? {}) as object,
  );
  return { fields, patch: patch as Change['patch'] };
}

function fieldChange(
  path: string,
  before: Scalar | undefined,
  after: Scalar | undefined,
  sensitive: boolean,
): FieldChange {
  const show = (value: Scalar): Scalar => (sensitive ? MASK : value);
  return {
    path,
    ...(before === undefined ? {} : { before: show(before) }),
    ...(after === undefined ? {} : { after: show(after) }),
    sensitive,
  };
}

type Scalar = null | boolean | number | string | [] | Record<string, never>;

interface Leaf {
  readonly path: Path;
  readonly value: Scalar;
}

/** Leaves by their readable path. Items of a list with names are addressed by name: `spec.env.API_KEY.value`. */
function flatten(value: Json | undefined, path: Path = [], leaves = new Map<string, Leaf>()): Map<string, Leaf> {
  if (value === undefined) return leaves;
  const entries = entriesOf(value);
  if (!entries) leaves.set(path.join('.'), { path, value: value as Scalar });
  else if (entries.length > 0) for (const [key, child] of entries) flatten(child, [...path, key], leaves);
  return leaves;
}

function entriesOf(value: Json): (readonly [string, Json])[] | undefined {
  if (Array.isArray(value)) return value.map((item, index) => [nameOf(item) ?? String(index), item] as const);
  return typeof value === 'object' && value !== null ? Object.entries(value) : undefined;
}

function nameOf(item: Json): string | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined;
  return typeof item['name'] === 'string' ? item['name'] : undefined;
}

function masked(value: Json | undefined, isSensitive: (path: Path) => boolean, path: Path): Json | undefined {
  if (value === undefined) return undefined;
  if (isSensitive(path)) return MASK;
  if (Array.isArray(value))
    return value.map((item, index) => masked(item, isSensitive, [...path, nameOf(item) ?? index]) ?? null);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, masked(child, isSensitive, [...path, key]) ?? null]),
  );
}

/** A resource as it may be shown: with the values masked that a plan would mask. */
export function maskedResource(resource: Resource): Resource {
  const kind = kindOf(resource.kind);
  const spec = masked(resource.spec as Json, (path) => kind?.sensitive?.(path) ?? false, []);
  return { ...resource, spec };
}
