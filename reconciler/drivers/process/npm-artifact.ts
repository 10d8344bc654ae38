/** Which package exactly runs, as npm noted it when it was installed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Artifact } from '../../../schemas/lock/lock.ts';
import type { Log } from '../../../schemas/log.ts';
import { packageText, type Program, type Workload } from '../../workload.ts';
import { npmHome } from './npm.ts';

/** The part of npm's lock file (version 3) that is read. */
interface NpmLock {
  readonly packages?: Readonly<Record<string, { readonly integrity?: string } | undefined>>;
}

/** @returns undefined for a command; a package without its integrity where it is not installed, or not by npm */
export async function npmArtifact(program: Program, packages: string): Promise<Artifact | undefined> {
  if (program.type !== 'package') return undefined;
  const named = { package: packageText(program) };
  if (program.ecosystem !== 'npm') return named;
  try {
    const lock = JSON.parse(await readFile(join(npmHome(packages, program), 'package-lock.json'), 'utf8')) as NpmLock;
    const integrity = lock.packages?.[`node_modules/${program.name}`]?.integrity;
    return { ...named, ...(integrity === undefined ? {} : { integrity }) };
  } catch {
    return named;
  }
}

/** @throws SlipwayError `install-failed` for another tarball of the same version than was accepted, where that is not to run */
export async function checkAccepted({ name, run, accepted }: Workload, packages: string, log: Log): Promise<void> {
  if (!accepted || run.program.type !== 'package') return;
  const { integrity = 'of no known integrity' } = (await npmArtifact(run.program, packages)) ?? {};
  if (integrity === accepted.integrity) return;
  const message = `${packageText(run.program)} is not the package that slipway.lock.yaml accepts: it is ${integrity}, not ${accepted.integrity}.`;
  if (!accepted.isHeld) return log('warn', message, { server: name });
  throw new SlipwayError('install-failed', message, {
    hint: `Find out why its registry has another one. \`slipway lock ${name}\` accepts what is installed; without its folder below packages/ in the state directory it is installed anew.`,
  });
}
