/** Whether a backup is what it says: nothing added, nothing lost, nothing changed, and still a config. */
import { createHash } from 'node:crypto';
import {
  filesOfCommit,
  load,
  manifestOf,
  memoryParseCache,
  type BackupCommit,
  type Source,
} from '../../reconciler/index.ts';
import { formatIssue } from '../../schemas/resource.ts';

export interface Where {
  readonly mirror: string;
  readonly source: Source;
  readonly signal: AbortSignal;
}

/** @returns what is wrong with it */
export async function verifyBackup(
  { commit, name, digest }: BackupCommit,
  { mirror, source, signal }: Where,
): Promise<string[]> {
  const manifest = await manifestOf(mirror, commit, signal).catch(() => undefined);
  if (!manifest) return ['its backup.json cannot be read'];
  const found = await filesOfCommit(mirror, commit, signal);
  const known = Object.entries(manifest.files);
  const problems = [
    ...(manifest.name === name ? [] : [`it calls itself ${manifest.name}`]),
    ...known.flatMap(([path, hash]) => {
      const file = found.get(path);
      if (!file) return [`${path} is missing`];
      return sha256(file.content) === hash ? [] : [`${path} was changed`];
    }),
    ...[...found.keys()].filter((path) => !Object.hasOwn(manifest.files, path)).map((path) => `${path} was added`),
  ];
  const modes = [...found].flatMap(([path, { executable }]) => (executable ? [path] : [])).sort();
  if (problems.length === 0 && sha256(JSON.stringify([manifest.files, modes])) !== digest)
    return ['its digest is another one: backup.json was changed'];
  if (problems.length > 0) return problems;
  const { issues } = await load(source, commit, memoryParseCache(), signal);
  return issues.slice(0, 3).map((issue) => `no valid config: ${formatIssue(issue).split('\n', 1)[0]}`);
}

const sha256 = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');
