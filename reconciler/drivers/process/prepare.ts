/** From a program in no driver's language to an argv and a working directory on this host. */
import { accessSync, constants } from 'node:fs';
import { chmod, copyFile, mkdir, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import type { Program, RunSpec, WorkloadFile } from '../../workload.ts';
import { prepareNpm, type Installs } from './npm.ts';

export interface Prepared {
  readonly argv: readonly string[];
  readonly cwd: string;
}

export interface Places {
  readonly packages: string;
  readonly blobs: string;
  /** Working directory of the instance. */
  readonly work: string;
  /** Installations that run. */
  readonly installs: Installs;
}

export async function prepare(run: RunSpec, places: Places, log: Log, signal: AbortSignal): Promise<Prepared> {
  const argv = await argvOf(run.program, places, log, signal);
  await layOut(run.files, places);
  return { argv, cwd: places.work };
}

async function argvOf(program: Program, places: Places, log: Log, signal: AbortSignal): Promise<readonly string[]> {
  if (program.type === 'command') return program.argv;
  if (program.type === 'image') throw new SlipwayError('no-driver', 'The process driver cannot run images.');
  if (program.ecosystem === 'npm') return [...(await prepareNpm(program, places, log, signal)), ...program.args];
  if (!onPath('uvx'))
    throw new SlipwayError('tool-missing', 'PyPI packages need uvx, which is not installed on this host.');
  return ['uvx', '--from', `${program.name}==${program.version}`, program.bin ?? program.name, ...program.args];
}

/**
 * Lays the workload's files out in a directory of the instance's own, afresh each time: what another instance or an
 * earlier run wrote there would not be what the commit says.
 */
async function layOut(files: readonly WorkloadFile[], { work, blobs }: Places): Promise<void> {
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true, mode: 0o700 });
  for (const file of files) {
    const target = join(work, file.path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(blobs, file.id), target);
    await chmod(target, file.executable ? 0o700 : 0o600);
  }
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
