/** From a program in no driver's language to an argv and a working directory on this host. */
import { chmod, copyFile, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import type { Program, RunSpec, WorkloadFile } from '../../workload.ts';
import { handOver, shutIn } from './cage.ts';
import type { Command } from './child.ts';
import { findProgram } from './environment.ts';
import { npmHome, prepareNpm, type Installs } from './npm.ts';
import { judge, type Sandbox } from './sandbox.ts';

/** How it is run. Of the environment, what that way of running needs: the spec's own variables come after. */
export interface Prepared extends Command {
  /** How another program is run in the same way: a probe must not be a way out. */
  readonly beside: (argv: readonly string[]) => Omit<Command, 'cwd'>;
  /** In what it is less shut in than was asked for; undefined where nothing was. */
  readonly exposed?: readonly string[];
}

export interface Places {
  readonly packages: string;
  readonly blobs: string;
  /** Working directory of the instance. */
  readonly work: string;
  /** Installations that run. */
  readonly installs: Installs;
  /** Where its secret files will be; undefined where it has none. */
  readonly secrets?: string | undefined;
  /** The sandboxes of this host, or why it has none. */
  readonly sandbox: () => Promise<Sandbox | string>;
}

/** @throws SlipwayError isolation-unavailable, before anything is installed; as {@link argvOf} */
export async function prepare(run: RunSpec, places: Places, log: Log, signal: AbortSignal): Promise<Prepared> {
  const { program, isolation = {} } = run;
  const host = (isolation.sandbox ?? 'off') === 'off' ? '' : await places.sandbox();
  const { sandboxed, exposed } = judge(run, host);
  const argv = await argvOf(program, places, log, signal);
  await layOut(run.files, places);
  const cwd = places.work;
  const reads = program.type === 'package' ? [npmHome(places.packages, program)] : [];
  const cage = { isolation, work: cwd, reads, secrets: places.secrets };
  const shut = sandboxed && typeof host !== 'string' ? host : undefined;
  if (shut) await handOver(shut, cage);
  const beside = (wanted: readonly string[]): Omit<Command, 'cwd'> =>
    shut ? shutIn(shut, cage, wanted) : { argv: wanted, env: {} };
  return { ...beside(argv), beside, cwd, ...(exposed ? { exposed } : {}) };
}

async function argvOf(program: Program, places: Places, log: Log, signal: AbortSignal): Promise<readonly string[]> {
  if (program.type === 'command') return program.argv;
  if (program.type === 'image') throw new SlipwayError('no-driver', 'The process driver cannot run images.');
  if (program.ecosystem === 'npm') return [...(await prepareNpm(program, places, log, signal)), ...program.args];
  if (!findProgram('uvx'))
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
