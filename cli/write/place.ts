/** Where a new resource is written down. */
import { posix } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { kindOf } from '../../schemas/kinds/index.ts';
import type { Draft } from './draft.ts';

/**
 * In the file that is asked for; else beside its like, where each of them has a file of its own in one folder; else in
 * `<plural>/<name>.yaml`.
 */
export function fileFor(draft: Draft, kind: string, name: string, wanted: string | undefined): string {
  const path = wanted === undefined ? `${folderFor(draft, kind)}/${name}.yaml` : checked(wanted);
  // A file cannot be a folder, too, and git would take the one away to make the other.
  const above = draft.tree.find((file) => path.startsWith(`${file.path}/`) || file.path.startsWith(`${path}/`));
  if (above)
    throw new SlipwayError('exists', `${path} cannot be made: there is ${above.path}.`, {
      hint: 'Name another file with --file.',
    });
  return posix.normalize(path);
}

function folderFor(draft: Draft, kind: string): string {
  const usual = kindOf(kind)?.plural ?? kind.toLowerCase();
  const folders = draft
    .of(kind)
    .map(({ source, metadata }) =>
      posix.basename(source.file).replace(/\.ya?ml$/, '') === metadata.name ? posix.dirname(source.file) : undefined,
    );
  const [first] = folders;
  const isHabit = first !== undefined && first !== '.' && folders.every((folder) => folder === first);
  return isHabit ? first : usual;
}

/** Only what is read back as config, and never outside of it. */
function checked(path: string): string {
  const parts = path.split('/');
  const isHidden = parts.some((part) => part === '' || part.startsWith('.') || part === 'node_modules');
  if (
    isHidden ||
    path.includes('\\') ||
    path.includes('\0') ||
    !/\.ya?ml$/.test(path) ||
    path.endsWith('slipway.lock.yaml')
  )
    throw new SlipwayError('usage', `--file ${path} is no place for config.`, {
      hint: 'Name a .yaml file below the config path, without .. and folders that begin with a dot.',
    });
  return path;
}

/** Appends a document to a file, or begins one. @param before what is there @param header a first line for new files */
export function withDocument(before: string | undefined, document: string, header: string | undefined): string {
  const own = document.endsWith('\n') ? document : `${document}\n`;
  if (before === undefined || before.trim() === '')
    return header === undefined || own.startsWith('# yaml-language-server:') ? own : `${header}\n${own}`;
  const newline = /\r?\n/.exec(before)?.[0] ?? '\n';
  const start = before.endsWith('\n') ? before : before + newline;
  return start + `---\n${own}`.replaceAll(/\r?\n/g, newline);
}

/** The line that tells editors which schema to use, where files beside it have one. */
export async function headerFor(draft: Draft, path: string): Promise<string | undefined> {
  const beside = draft.tree.find(
    (file) => /\.ya?ml$/.test(file.path) && file.type !== 'symlink' && posix.dirname(file.path) === posix.dirname(path),
  );
  const first = beside ? (await draft.read(beside.path))?.split(/\r?\n/, 1)[0] : undefined;
  return first?.startsWith('# yaml-language-server:') ? first : undefined;
}
