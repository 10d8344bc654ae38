/** A working tree, or any folder: its files are edited, and committed only where a message is given. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { simpleGit } from 'simple-git';
import { directorySource } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { commitPaths } from '../git.ts';
import { takeLock } from './lock.ts';
import type { ConfigRepo, History } from './repo.ts';

export interface FolderOptions {
  /** Absolute: the folder that holds the config. */
  readonly root: string;
  /** Absolute: outside of the config, so that nobody commits it. */
  readonly lock: string;
  /** Commit what was changed, and nothing else. */
  readonly commit: boolean;
  readonly history?: History;
  readonly signal: AbortSignal;
}

/** Holds the folder's lock until it is disposed of. */
export async function openFolder({ root, lock, commit, history, signal }: FolderOptions): Promise<ConfigRepo> {
  const held = await takeLock(lock, signal);
  return {
    source: directorySource(root, { asCommitted: true }),
    ...(history ? { history } : {}),
    async write(draft, message) {
      const { before, after } = draft.changes();
      const staged: Staged[] = [];
      try {
        for (const [path, text] of after)
          staged.push(stage(root, path, { before: before.get(path), text, executable: draft.isExecutable(path) }));
        // Whoever has the file open in an editor knows no lock: what they saved meanwhile is not written over.
        for (const { check } of staged) check();
        for (const { put } of staged) put();
      } finally {
        for (const { temporary } of staged) rmSync(temporary, { force: true });
      }
      return commit ? commitFiles(root, [...after.keys()], message) : '';
    },
    async [Symbol.asyncDispose]() {
      held[Symbol.dispose]();
    },
  };
}

interface Staged {
  readonly temporary: string;
  check(): void;
  put(): void;
}

/** Everything that can fail for want of space or rights fails before the first file is touched. */
function stage(
  root: string,
  path: string,
  { before, text, executable }: { before: string | undefined; text: string | null; executable: boolean },
): Staged {
  const target = join(root, path);
  const temporary = join(dirname(target), `.${randomBytes(6).toString('hex')}.slipway-tmp`);
  const mode = existsSync(target) ? statSync(target).mode & 0o777 : (executable ? 0o777 : 0o666) & ~process.umask();
  if (text !== null)
    try {
      mkdirSync(dirname(target), { recursive: true });
      const file = openSync(temporary, 'wx', mode);
      writeFileSync(file, text);
      fsyncSync(file);
      closeSync(file);
    } catch (error) {
      throw new SlipwayError('state-unwritable', `Cannot write ${target}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  return {
    temporary,
    check() {
      const now = existsSync(target) ? readFileSync(target, 'utf8') : undefined;
      if (now !== before) throw new SlipwayError('conflict', `${path} was changed by somebody else meanwhile.`);
    },
    put: () => (text === null ? rmSync(target) : renameSync(temporary, target)),
  };
}

/** @throws SlipwayError commit-failed with what git, or a hook of the repo, says */
async function commitFiles(root: string, paths: readonly string[], message: string): Promise<string> {
  const git = simpleGit(root);
  try {
    await commitPaths(root, paths, message);
    const [id, branch] = [await git.revparse(['--short=8', 'HEAD']), await git.revparse(['--abbrev-ref', 'HEAD'])];
    return `committed ${id.trim()} to ${branch.trim()}`;
  } catch (cause) {
    const said = (cause as Error).message.trim().split('\n').slice(-3).join(' ');
    throw new SlipwayError('commit-failed', `git did not take the commit: ${said}`, { cause });
  }
}
