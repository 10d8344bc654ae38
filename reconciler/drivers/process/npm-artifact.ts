/** Which package exactly runs, as npm noted it when it was installed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artifact } from '../../../schemas/lock/lock.ts';
import { packageText, type Program } from '../../workload.ts';
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
