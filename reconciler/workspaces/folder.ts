/** A folder of this host, looked at where it is: nothing is copied, no link is followed. */
import { lstat, opendir } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { select, type Entry } from './select.ts';
import type { Manifest, Tree, WorkspaceSpec } from './spec.ts';

/** Somebody who makes folders in folders must not keep us walking for ever. */
const MAX_ENTRIES = 1_000_000;

/** @throws SlipwayError path-not-found, workspace-too-large */
export async function lookAt(
  spec: WorkspaceSpec,
  path: string,
  signal: AbortSignal,
): Promise<{ tree: Tree; manifest: Manifest }> {
  const root = await lstat(path).catch(() => undefined);
  if (!root?.isDirectory())
    throw new SlipwayError('path-not-found', `There is no folder ${path} here.`, { hint: 'Make it, or correct path.' });
  const { files, bytes, skipped } = select(await Array.fromAsync(walk(path, '', { left: MAX_ENTRIES }, signal)), spec);
  const manifest = Object.fromEntries(files.map(({ path: file, id }) => [file, id]));
  const id = createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 16);
  return { tree: { id, path, files: files.length, bytes, skipped }, manifest };
}

async function* walk(
  root: string,
  below: string,
  budget: { left: number },
  signal: AbortSignal,
): AsyncGenerator<Entry> {
  for await (const entry of await opendir(join(root, below))) {
    signal.throwIfAborted();
    if (budget.left-- <= 0) throw new SlipwayError('workspace-too-large', `It has more than ${MAX_ENTRIES} entries.`);
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name === '.git') continue;
    if (entry.isDirectory()) yield* walk(root, path, budget, signal);
    else if (entry.isSymbolicLink()) yield { path, id: '', bytes: 0, type: 'symlink' };
    else if (entry.isFile()) {
      const info = await lstat(join(root, path)).catch(() => undefined); // Removed a moment ago.
      if (info) yield { path, id: `${info.size}-${info.mtimeMs}`, bytes: info.size, type: 'file' };
    }
  }
}
