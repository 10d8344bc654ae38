/** Files of workspaces that a Backup names, as far as they are text, small, and hold nothing that looks like a secret. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { toSlipwayError } from '../../schemas/errors.ts';
import { MAX_FILE_BYTES } from '../../schemas/parse.ts';
import { redactText } from '../../schemas/secret-shapes.ts';
import type { TreeFile } from '../record/outbox.ts';
import { lookAt } from '../workspaces/folder.ts';
import type { Workspaces } from '../workspaces/workspaces.ts';
import { utf8 } from './text.ts';

/** Of one workspace: a backup is no place for all of a large repository. */
const MAX_BYTES = 32 * 1024 * 1024;

export type Lender = Pick<Workspaces, 'facts' | 'lease'>;

export interface Found {
  readonly tree: readonly TreeFile[];
  readonly left: readonly { readonly path: string; readonly reason: string }[];
}

/** One that cannot be read leaves the others, and the config, as they are. */
export async function workspaceFiles(
  names: readonly string[],
  workspaces: Lender | undefined,
  signal: AbortSignal,
): Promise<Found> {
  const all = await Promise.all(
    names.map((name) =>
      filesOf(name, workspaces, signal).catch((error: unknown): Found => {
        signal.throwIfAborted();
        return { tree: [], left: [{ path: `workspaces/${name}`, reason: toSlipwayError(error).message }] };
      }),
    ),
  );
  return { tree: all.flatMap(({ tree }) => tree), left: all.flatMap(({ left }) => left) };
}

async function filesOf(name: string, workspaces: Lender | undefined, signal: AbortSignal): Promise<Found> {
  const below = `workspaces/${name}`;
  const spec = workspaces?.facts().find((facts) => facts.spec.name === name)?.spec;
  using lease = workspaces?.lease(name);
  if (!spec || !lease) return { tree: [], left: [{ path: below, reason: 'not synced yet' }] };
  const { manifest } = await lookAt(spec, lease.path, signal);
  const [tree, left]: [TreeFile[], Found['left'][number][]] = [[], []];
  let bytes = 0;
  for (const path of Object.keys(manifest).sort()) {
    signal.throwIfAborted();
    const content = await contentOf(join(lease.path, path));
    if (typeof content === 'string') left.push({ path: `${below}/${path}`, reason: content });
    else if ((bytes += content.text.length) > MAX_BYTES)
      left.push({ path: `${below}/${path}`, reason: 'over 32 MiB together' });
    else tree.push({ path: `${below}/${path}`, content: content.text });
  }
  return { tree, left };
}

/** @returns why it is left out, otherwise */
async function contentOf(path: string): Promise<{ readonly text: string } | string> {
  // A link that took the file's place a moment ago is not followed: it would lead out of the folder.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
  if (!file) return 'not readable';
  try {
    if ((await file.stat()).size > MAX_FILE_BYTES) return 'over 1 MiB';
    const text = utf8(await file.readFile());
    if (text === undefined) return 'not text';
    return redactText(text).count > 0 ? 'it holds what looks like a secret' : { text };
  } finally {
    await file.close();
  }
}
