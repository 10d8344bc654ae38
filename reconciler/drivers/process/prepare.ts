/** From a program in no driver's language to an argv and a working directory on this host. */
import { accessSync, constants, existsSync } from 'node:fs';
import { copyFile, chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import type { StatePaths } from '../../state.ts';
import type { Program, RunSpec, WorkloadFile } from '../../workload.ts';
import { prepareNpm } from './npm.ts';

export interface Prepared {
  readonly argv: readonly string[];
  readonly cwd: string;
}

export async function prepare(run: RunSpec, paths: StatePaths, log: Log, signal: AbortSignal): Promise<Prepared> {
  return { argv: await argvOf(run.program, paths, log, signal), cwd: await layOut(run.files, paths) };
}

async function argvOf(program: Program, paths: StatePaths, log: Log, signal: AbortSignal): Promise<readonly string[]> {
  if (program.type === 'command') return program.argv;
  if (program.type === 'image') throw new SlipwayError('no-driver', 'The process driver cannot run images.');
  if (program.ecosystem === 'npm')
    return [...(await prepareNpm(program, paths.packages, log, signal)), ...program.args];
  if (!onPath('uvx'))
    throw new SlipwayError('tool-missing', 'PyPI packages need uvx, which is not installed on this host.');
  return ['uvx', '--from', `${program.name}==${program.version}`, program.bin ?? program.name, ...program.args];
}

/**
 * Lays the workload's files out in a directory named after their content; without files an empty one. A new content is a
 * new directory, so the old version keeps its own files while it drains.
 */
async function layOut(files: readonly WorkloadFile[], paths: StatePaths): Promise<string> {
  const digest = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16);
  const home = join(paths.files, digest);
  if (existsSync(home)) return home;
  const temporary = await mkdtemp(`${home}.`);
  try {
    for (const file of files) {
      const target = join(temporary, file.path);
      await mkdir(dirname(target), { recursive: true });
      await copyFile(join(paths.blobs, file.id), target);
      await chmod(target, file.executable ? 0o700 : 0o600);
    }
    await rename(temporary, home).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return home;
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
