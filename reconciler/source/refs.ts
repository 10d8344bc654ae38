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
  if (ref !== undefined) throw new SlipwayError('ref-not-found', `There is no branch or tag ${ref}.`);
  const heads = (await git(['ls-remote', '--quiet', '--heads', '--', url], { signal, env })).trim();
  const branches = [...heads.matchAll(/\trefs\/heads\/(.+)$/gm)].map(([, name]) => name);
  if (branches.length === 0) throw new SlipwayError('ref-not-found', 'The repository is empty.');
  throw new SlipwayError('ref-not-found', 'The HEAD of the repository names no branch that is there.', {
    hint: `Say which one is meant, with --ref: ${branches.slice(0, 10).join(', ')}.`,
  });
}
