/**
 * The floor: a file of the operator, outside of the repo, with ordinary resources that the repo cannot loosen. It is read
 * anew for each pass; what it cannot be read from must never look like no floor.
 */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { ERRORS, SlipwayError } from '../../schemas/errors.ts';
import { kindOf } from '../../schemas/kinds/index.ts';
import type { Problem } from '../../schemas/kinds/kind.ts';
import { parseFile } from '../../schemas/parse.ts';
import { checkTogether } from '../../schemas/refs.ts';
import { formatPath, type Issue, type Resource } from '../../schemas/resource.ts';
import type { Accepted } from '../applied.ts';
import type { Floor } from '../compile.ts';
import type { Loaded } from '../load.ts';
import { behaviourOf } from '../kinds/index.ts';
import type { Case } from './judge.ts';
import type { TrustRules } from './rules.ts';

/** @param path absent where there is no floor @throws SlipwayError invalid-floor */
export async function readFloor(path: string | undefined): Promise<Floor | undefined> {
  if (path === undefined) return undefined;
  let content: Buffer;
  try {
    content = await readFile(path);
    // Whoever can write to the floor decides what it keeps whom from.
    if (((await stat(path)).mode & 0o002) !== 0) throw new Error('everybody may write to it');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SlipwayError('invalid-floor', `The floor ${path} cannot be used: ${code ?? message}.`, { cause: error });
  }
  const { resources, issues } = parseFile(path, content);
  const foreign = resources.filter(({ kind }) => !kindOf(kind)?.floor);
  const wrong = [
    ...issues,
    ...foreign.map(({ kind, source }) => ({ ...source, message: `A floor can hold no ${kind}.` })),
    ...checkTogether(resources),
    ...resources.flatMap(meaningless),
  ];
  const [first] = wrong;
  if (first)
    throw new SlipwayError('invalid-floor', `The floor is not valid: ${first.file}:${first.line}: ${first.message}`);
  return { id: createHash('sha256').update(content).digest('hex'), resources };
}

/** What in a config goes below the floor, with the places of both. */
function belowFloor(resources: readonly Resource[], floor: Floor | undefined): Issue[] {
  return floor ? problemsOf(resources, floor.resources).map(issueOf) : [];
}

/** True when the floor is another one than that with this id, or can be used no more, or again. */
export async function isFloorNew(path: string | undefined, id: string | undefined): Promise<boolean> {
  return (await readFloor(path).catch(() => undefined))?.id !== id;
}

/** A commit with the floor that it stands on, and with what goes below it. */
export function withFloor(loaded: Loaded, floor: Floor | undefined): Loaded {
  return { ...loaded, floor, issues: [...loaded.issues, ...belowFloor(loaded.resources, floor)] };
}

/** By what commits are judged because of these resources. */
export function trustOf(resources: readonly Resource[]): TrustRules[] {
  return resources.flatMap((resource) => behaviourOf(resource.kind).trust?.(resource) ?? []);
}

/** What a floor said without effect would be believed, and not be so. */
function meaningless(resource: Resource): { file: string; line: number; message: string }[] {
  const { spec, floorFields } = kindOf(resource.kind) ?? {};
  if (!spec || !floorFields) return [];
  const [said, plain] = [resource.spec, spec.parse({})] as Record<string, unknown>[];
  return Object.keys(said ?? {})
    .filter((field) => !floorFields.includes(field) && JSON.stringify(said?.[field]) !== JSON.stringify(plain?.[field]))
    .map((field) => ({
      ...resource.source,
      message: `${field} of a ${resource.kind} means nothing in a floor: only ${floorFields.join(', ')} does.`,
    }));
}

/** By what the next commit is judged: the floor, and what was accepted before. */
export function rulesFor(
  floor: Floor | undefined,
  applied: readonly Resource[],
  accepted: Accepted | undefined,
): Pick<Case, 'floor' | 'accepted' | 'final'> {
  const least = floor?.resources ?? [];
  const final = [...applied, ...least].flatMap((one) => behaviourOf(one.kind).guards?.(one)?.final ?? []);
  return { floor: trustOf(least), accepted, final };
}

function problemsOf(own: readonly Resource[], floor: readonly Resource[]): Problem[] {
  const all = (kind: string): readonly Resource[] => own.filter((resource) => resource.kind === kind);
  return [...Map.groupBy(floor, ({ kind }) => kind)].flatMap(
    ([kind, least]) => kindOf(kind)?.floor?.(all(kind), least, all) ?? [],
  );
}

function issueOf({ resource, path, code, message, hint }: Problem): Issue {
  return { ...resource.source, path: formatPath(['spec', ...path]), code, message, hint: hint ?? ERRORS[code].hint };
}
