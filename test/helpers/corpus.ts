/**
 * The corpus of good and bad configs in `test/fixtures/{valid,invalid}`. A case is a folder (a small config repo) or one
 * YAML file. What each bad one gets stands in `invalid/expected.json`; cases that git cannot hold are generated.
 */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../schemas/errors.ts';
import { MAX_FILE_BYTES, parseFile } from '../../schemas/parse.ts';
import { checkTogether } from '../../schemas/refs.ts';
import type { Issue } from '../../schemas/resource.ts';

export const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));

export interface CaseFile {
  /** Relative to the case's folder, with `/`. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** `name` is the file's or the folder's. */
export interface Case {
  readonly name: string;
  readonly files: readonly CaseFile[];
}

export type ExpectedIssue = Pick<Issue, 'file' | 'line' | 'column' | 'code' | 'path'>;

export interface GeneratedCase {
  readonly name: string;
  readonly expected: readonly ExpectedIssue[];
  /** True where the problem is a symbolic link: only whoever walks the tree can see it. */
  readonly link: boolean;
}

const isCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

const expectedSchema = z.record(
  z.string(),
  z
    .array(
      z.strictObject({
        file: z.string(),
        line: z.int().min(1),
        column: z.int().min(1),
        code: z.string().refine(isCode),
        path: z.string(),
      }),
    )
    .min(1),
);

/** What each case of `invalid/` must give, in order. */
export async function readExpected(): Promise<Record<string, ExpectedIssue[]>> {
  return expectedSchema.parse(JSON.parse(await readFile(join(FIXTURES, 'invalid', 'expected.json'), 'utf8')));
}

/** All cases in a folder, by name. */
export async function readCases(folder: string): Promise<Case[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const cases = entries
    .filter((entry) => entry.isDirectory() || isConfig(entry.name))
    .map(async (entry): Promise<Case> => {
      const path = join(folder, entry.name);
      return entry.isDirectory()
        ? { name: entry.name, files: await readTree(path) }
        : { name: entry.name, files: [{ path: entry.name, content: await readFile(path) }] };
    });
  return (await Promise.all(cases)).sort((a, b) => compareText(a.name, b.name));
}

/** Every issue of a case, in the order in which people see them. */
export function issuesOf(files: readonly CaseFile[]): Issue[] {
  const parsed = files.map((file) => parseFile(file.path, file.content));
  const together = checkTogether(parsed.flatMap((file) => file.resources));
  return [...parsed.flatMap((file) => file.issues), ...together].sort(
    (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column,
  );
}

export const expectedOf = ({ file, line, column, code, path }: Issue): ExpectedIssue => ({
  file,
  line,
  column,
  code,
  path,
});

/** Writes the cases that cannot stand in git, each a folder of its own below `dir`. */
export async function writeGeneratedCases(dir: string): Promise<GeneratedCase[]> {
  for (const [name, content] of Object.entries(GENERATED)) await put(join(dir, name, 'config.yaml'), content.bytes());
  await writeLinkCases(dir);
  return [
    ...Object.entries(GENERATED).map(([name, { code }]) => ({
      name,
      link: false,
      expected: [at('config.yaml', code)],
    })),
    ...LINKS.map((name) => ({ name, link: true, expected: [at('linked.yaml', 'symlink')] })),
  ];
}

const SERVER = 'apiVersion: slipway/v1\nkind: Server\nmetadata: { name: linked }\nspec: { command: [node] }\n';

const GENERATED: Record<string, { code: ErrorCode; bytes: () => Uint8Array }> = {
  'file-of-20-mb': { code: 'file-too-large', bytes: () => Buffer.alloc(20_000_000, '# far too much\n') },
  'file-one-byte-over': { code: 'file-too-large', bytes: () => Buffer.alloc(MAX_FILE_BYTES + 1, '#') },
  'not-utf8-latin1': { code: 'not-utf8', bytes: () => Buffer.from(`# Gr\u00FC\u00DFe\n${SERVER}`, 'latin1') },
  'not-utf8-utf16': { code: 'not-utf8', bytes: () => Buffer.from(`\uFEFF${SERVER}`, 'utf16le') },
  'not-utf8-cut': { code: 'not-utf8', bytes: () => Buffer.from('# \u4E16').subarray(0, -1) },
  'not-utf8-overlong': { code: 'not-utf8', bytes: () => Buffer.from([0x23, 0xc0, 0xaf, 0x0a]) },
  'not-utf8-surrogate': { code: 'not-utf8', bytes: () => Buffer.from([0x23, 0xed, 0xa0, 0x80, 0x0a]) },
};

const LINKS = ['link-out-of-tree', 'link-absolute', 'link-to-nothing', 'link-to-itself', 'link-to-sibling'] as const;

/** Links that would be followed by whoever opens the file without looking. */
async function writeLinkCases(dir: string): Promise<void> {
  const outside = join(dir, 'outside.txt');
  await put(outside, Buffer.from(SERVER));
  const sibling = join(dir, 'link-to-sibling', 'server.txt');
  await put(sibling, Buffer.from(SERVER));
  const targets: Record<(typeof LINKS)[number], string> = {
    'link-out-of-tree': join('..', 'outside.txt'),
    'link-absolute': outside,
    'link-to-nothing': 'nothing.txt',
    'link-to-itself': 'linked.yaml',
    'link-to-sibling': 'server.txt',
  };
  for (const name of LINKS) {
    await mkdir(join(dir, name), { recursive: true });
    await symlink(targets[name], join(dir, name, 'linked.yaml'));
  }
}

async function put(path: string, content: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

async function readTree(root: string): Promise<CaseFile[]> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .filter(isConfig)
    .sort(compareText);
  return Promise.all(paths.map(async (path) => ({ path, content: await readFile(join(root, path)) })));
}

const isConfig = (path: string): boolean =>
  /\.ya?ml$/.test(path) && !/(^|\/)slipway\.lock\.yaml$/.test(path) && !/(^|\/)\.[^/]+\//.test(path);

const at = (file: string, code: ErrorCode): ExpectedIssue => ({ file, line: 1, column: 1, code, path: '' });

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
