/** Copies the files that workloads need out of the config repo, before anything starts: drivers know no source. */
import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Desired } from './compile.ts';
import type { Source } from './source/source.ts';

/** Content-addressed, so a file that is there need not be read again, and a crash leaves no half of one in use. */
export async function stageFiles(desired: Desired, source: Source, blobs: string, signal: AbortSignal): Promise<void> {
  const missing = desired.files.filter((file) => !existsSync(join(blobs, file.id)));
  const contents = await source.read(
    desired.commit,
    missing.map((file) => ({ path: file.path, id: file.id, bytes: 0, type: 'file' })),
    signal,
  );
  for (const [index, file] of missing.entries()) {
    const target = join(blobs, file.id);
    await writeFile(`${target}.tmp`, contents[index] ?? '', { mode: 0o600 });
    await rename(`${target}.tmp`, target);
  }
}
