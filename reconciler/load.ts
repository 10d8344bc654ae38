/** From a revision of a source to checked resources, or to all of its issues. */
import { ERRORS } from '../schemas/errors.ts';
import { kindOf } from '../schemas/kinds/index.ts';
import { LOCK_FILE, MAX_LOCK_BYTES, parseLock, type Lock } from '../schemas/lock/lock.ts';
import { MAX_FILE_BYTES, parseFile, refuse } from '../schemas/parse.ts';
import { formatPath, type Issue, type Resource } from '../schemas/resource.ts';
import { suggest } from '../schemas/suggest.ts';
import { checkedIn, judge, shapesOf, type Shape, type Shapes } from './assemble/assemble.ts';
import { compareText, type Desired } from './compile.ts';
import type { ParseCache } from './parse-cache.ts';
import type { Source, SourceFile } from './source/source.ts';
import { partsOf, takeIn } from './take-in.ts';
import type { WorkloadFile } from './workload.ts';

export interface Loaded extends Desired {
  /** Empty if the commit is valid. A commit with issues is refused as a whole. */
  readonly issues: readonly Issue[];
}

/** @throws SlipwayError when the source cannot be read, or unknown-environment; what is wrong with its content is in `issues` */
export async function load(source: Source, revision: string, cache: ParseCache, signal: AbortSignal): Promise<Loaded> {
  const tree = await source.files(revision, signal);
  const yaml = tree.filter((file) => /\.ya?ml$/.test(file.path) && !file.path.endsWith(LOCK_FILE));
  const { issues: unread, refused, ...all } = await parseAll(source, revision, yaml, cache, signal);
  const locked = await lockIn(tree, source, revision, cache, signal);
  const shapes = shapesOf(all.resources, refused, source.environment);
  const { shapes: filled, ...taken } = await takenInto(shapes, { source, revision, tree, signal });
  const issues = [...unread.filter(({ file }) => !taken.parts.has(file)), ...taken.issues];
  const { resources, issues: together } = judge(filled, refused);
  const byPath = new Map(tree.map((file) => [file.path, file]));
  const missing = resources.flatMap((resource) => missingFiles(resource, byPath));
  cache.save(yaml);
  return {
    commit: revision,
    resources,
    files: referencedFiles(resources, byPath),
    ...(locked.lock ? { lock: locked.lock } : {}),
    blank: blankPlaces(tree, yaml, all.resources),
    issues: [...issues, ...locked.issues, ...together, ...missing].sort(byPosition),
  };
}

/** What was accepted of tools. Of a server that is gone it says nothing to anybody; `slipway lock --check` tells. */
async function lockIn(
  tree: readonly SourceFile[],
  source: Source,
  revision: string,
  cache: ParseCache,
  signal: AbortSignal,
): Promise<{ readonly lock?: Lock; readonly issues: readonly Issue[] }> {
  const file = tree.find(({ path }) => path === LOCK_FILE);
  if (!file) return { issues: [] };
  if (file.type === 'symlink') return refuse(LOCK_FILE, 'symlink');
  if (file.bytes > MAX_LOCK_BYTES) return refuse(LOCK_FILE, 'file-too-large', `The file has ${file.bytes} bytes.`);
  const known = cache.lock(file.id);
  if (known) return { lock: known, issues: [] };
  const [content] = await source.read(revision, [file], signal);
  const parsed = parseLock(content ?? Buffer.alloc(0));
  if (parsed.lock) cache.setLock(file.id, parsed.lock);
  return parsed;
}

/** Files that are parts of resources are read for what is checked, and are nobody's config of their own anywhere. */
async function takenInto(shapes: Shapes, from: Parameters<typeof takeIn>[1]) {
  const every = [...new Set(checkedIn(shapes).flatMap(({ resources }) => resources))];
  const { resources, issues, parts } = await takeIn(every, from);
  const filled = new Map(every.map((resource, index) => [resource, resources[index] ?? resource]));
  const fill = (shape: Shape): Shape => ({
    ...shape,
    resources: shape.resources.map((resource) => filled.get(resource) ?? resource),
  });
  const elsewhere = shapes.others.flatMap((shape) => shape.resources.flatMap(partsOf));
  return {
    shapes: { inForce: fill(shapes.inForce), others: shapes.others.map(fill) },
    issues,
    parts: new Set([...parts, ...elsewhere]),
  };
}

/** Where resources could stand, and none can be read. */
function blankPlaces(
  tree: readonly SourceFile[],
  yaml: readonly SourceFile[],
  resources: readonly Resource[],
): readonly string[] {
  const full = new Set(resources.map(({ source }) => source.file));
  const unread = tree.filter(({ type }) => type === 'opaque' || type === 'symlink');
  return [...unread, ...yaml.filter(({ path }) => !full.has(path))].map(({ path }) => path);
}

async function parseAll(
  source: Source,
  revision: string,
  files: readonly SourceFile[],
  cache: ParseCache,
  signal: AbortSignal,
) {
  const resources: Resource[] = [];
  const issues: Issue[] = [];
  const refused: string[] = [];
  const unknown: SourceFile[] = [];
  for (const file of files) {
    const cached = cache.get(file.id, file.path);
    if (file.type === 'symlink') issues.push(...refuse(file.path, 'symlink').issues);
    else if (file.bytes > MAX_FILE_BYTES)
      issues.push(...refuse(file.path, 'file-too-large', `The file has ${file.bytes} bytes.`).issues);
    else if (cached) resources.push(...cached);
    else unknown.push(file);
  }
  const contents = await source.read(revision, unknown, signal);
  for (const [index, file] of unknown.entries()) {
    const parsed = parseFile(file.path, contents[index] ?? Buffer.alloc(0));
    resources.push(...parsed.resources);
    issues.push(...parsed.issues);
    refused.push(...parsed.refused);
    if (parsed.issues.length === 0) cache.set(file.id, file.path, parsed.resources);
  }
  return { resources, issues, refused };
}

function filesOf(resource: Resource): readonly { path: readonly (string | number)[]; file: string }[] {
  return kindOf(resource.kind)?.files?.(resource.spec) ?? [];
}

function missingFiles(resource: Resource, tree: ReadonlyMap<string, SourceFile>): Issue[] {
  return filesOf(resource).flatMap(({ path, file }): Issue[] => {
    const found = tree.get(file);
    const at = { ...resource.source, path: formatPath(['spec', ...path]) };
    if (found?.type === 'symlink')
      return [{ ...at, code: 'symlink', message: `${file} is a symbolic link.`, hint: ERRORS.symlink.hint }];
    if (found) return [];
    const inside = [...tree.keys()].filter((name) => name.startsWith(`${file.replace(/\/$/, '')}/`));
    if (inside.length > 0) {
      const hint = `Name the files that are needed of it: ${inside.slice(0, 3).join(', ')}${inside.length > 3 ? ' …' : ''}.`;
      return [{ ...at, code: 'dangling-reference', message: `${file} is a folder.`, hint }];
    }
    const nearest = suggest(file, tree.keys());
    const hint =
      nearest === undefined
        ? 'Paths are relative to the config path; dot-folders are left out.'
        : `Did you mean ${nearest}?`;
    return [{ ...at, code: 'dangling-reference', message: `There is no file ${file}.`, hint }];
  });
}

function referencedFiles(resources: readonly Resource[], tree: ReadonlyMap<string, SourceFile>): WorkloadFile[] {
  const wanted = new Set(resources.flatMap((resource) => filesOf(resource).map(({ file }) => file)));
  return [...wanted].sort(compareText).flatMap((path): WorkloadFile[] => {
    const file = tree.get(path);
    return file && file.type !== 'symlink' ? [{ path, id: file.id, executable: file.type === 'executable' }] : [];
  });
}

const byPosition = (a: Issue, b: Issue): number =>
  compareText(a.file, b.file) || a.line - b.line || a.column - b.column;
