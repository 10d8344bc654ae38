/** A git repository elsewhere: a change is a commit on a branch of it, made without a checkout and pushed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { commitTo, gitSource, headBranch } from '../../reconciler/index.ts';
import type { Log } from '../../schemas/log.ts';
import type { ConfigRepo } from './repo.ts';

export interface RemoteOptions {
  readonly url: string;
  /** Branch, tag or commit to start from. Default: the branch of the remote's HEAD. */
  readonly ref: string | undefined;
  /** Whether a pull request is to be opened. */
  readonly isRequested?: boolean;
  /** A branch that is made anew for the change; absent: the one that was read. */
  readonly branch: string | undefined;
  /** Folder of the repo that holds the config. */
  readonly path: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export async function openRemote({
  url,
  ref,
  branch,
  path,
  isRequested,
  env,
  log,
  signal,
}: RemoteOptions): Promise<ConfigRepo> {
  const needsName = branch === undefined || isRequested;
  const from = ref ?? (needsName ? await headBranch(url, signal) : undefined);
  const folder = mkdtempSync(join(tmpdir(), 'slipway-write-'));
  const mirror = join(folder, 'mirror.git');
  const source = gitSource({
    url,
    mirror,
    log: (level, ...rest) => log(level === 'info' ? 'debug' : level, ...rest),
    ...(from === undefined ? {} : { ref: from }),
    ...(path === undefined ? {} : { path }),
  });
  const below = (file: string): string => posix.join(path ?? '', file);
  return {
    source,
    ...(isRequested && branch !== undefined ? { request: { remote: url, branch, into: from ?? '' } } : {}),
    history: { repository: mirror, path: path ?? '' },
    async write(draft, message) {
      const target = branch ?? from ?? '';
      const files = [...draft.changes().after].map(
        ([file, content]) =>
          [below(file), content === null ? null : { content, executable: draft.isExecutable(file) }] as const,
      );
      const id = await commitTo({
        mirror,
        remote: url,
        branch: target,
        isNew: branch !== undefined,
        parent: draft.revision,
        message,
        files: new Map(files),
        env,
        signal,
      });
      return `committed ${id.slice(0, 8)} to ${target}`;
    },
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
