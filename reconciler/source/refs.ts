/** What a remote calls things. */
import { SlipwayError } from '../../schemas/errors.ts';
import { git } from './git-command.ts';

export const COMMIT_ID = /^[0-9a-f]{40}([0-9a-f]{24})?$/;

export interface Resolved {
  readonly id: string;
  /** What to fetch. */
  readonly ref: string;
}

/** One round trip to the remote, no objects. */
export async function resolveRef(
  url: string,
  ref: string | undefined,
  signal: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Promise<Resolved> {
  if (ref !== undefined && COMMIT_ID.test(ref)) return { id: ref, ref };
  const wanted = ref ?? 'HEAD';
  const candidates =
    ref === undefined ? ['HEAD'] : ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`];
  const output = await git(['ls-remote', '--quiet', '--', url, ...candidates.flatMap((name) => [name, `${name}^{}`])], {
    signal,
    env,
  });
  const found = new Map(
    output
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t') as [string, string])
      .map(([id, name]) => [name, id]),
  );
  for (const name of candidates) {
    // An annotated tag points to a tag object; `^{}` is the commit behind it.
    const id = found.get(`${name}^{}`) ?? found.get(name);
    if (id !== undefined) return { id, ref: name };
  }
  const empty = ref === undefined ? 'The repository is empty.' : `There is no branch or tag ${wanted}.`;
  throw new SlipwayError('ref-not-found', empty);
}
