/** Makes a prepared program fit for the sandbox: what it runs is there, and what it may use is its own. */
import { realpathSync } from 'node:fs';
import { chmod, lchown, readdir } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Command } from './child.ts';
import { SECRETS_DIR } from '../../secrets/files.ts';
import { CREDENTIALS, findProgram } from './environment.ts';
import { isInside, NOBODY, sandboxArgv, type Cage, type Sandbox } from './sandbox.ts';

/** @returns the argv that runs `argv` in the sandbox, and the environment that goes with it */
export function shutIn(host: Sandbox, cage: Cage, argv: readonly string[]): Omit<Command, 'cwd'> {
  const [program = '', ...args] = argv;
  const node = realpathSync(process.execPath);
  const isThere = (path: string): boolean => isInside(host, cage.isolation, path);
  const own = ownProgram(program, isThere);
  const reads = [...cage.reads, ...[node, ...(own === undefined ? [] : [own])].filter((path) => !isThere(path))];
  return {
    caged: true,
    argv: sandboxArgv(host, { ...cage, reads: [...new Set(reads)] }, [own ?? program, ...args]),
    env: {
      // The home of Slipway's user is not there, and nobody has none.
      HOME: cage.work,
      TMPDIR: '/tmp',
      PATH: [process.env['PATH'] ?? '', dirname(node)].join(delimiter),
      ...(cage.secrets === undefined ? {} : { [CREDENTIALS]: SECRETS_DIR }),
    },
  };
}

/** The file behind a program that is not in there by itself; undefined for one that is found inside as well. */
function ownProgram(program: string, isThere: (path: string) => boolean): string | undefined {
  const path = isAbsolute(program) ? program : program.includes('/') ? undefined : findProgram(program);
  if (path === undefined || isThere(path)) return undefined;
  try {
    return realpathSync(path);
  } catch {
    return undefined; // Not there: starting it says so.
  }
}

/**
 * As root, what is laid out is root's, and a package's folder is for its owner alone. Only before anything runs in there:
 * a program could put a link in the way of our hands, and be given a file of the host.
 */
export async function handOver(host: Sandbox, { work, reads }: Pick<Cage, 'work' | 'reads'>): Promise<void> {
  if (!host.asNobody) return;
  for (const entry of ['', ...(await readdir(work, { recursive: true }))])
    await lchown(join(work, entry), NOBODY, NOBODY);
  for (const path of reads) await chmod(path, 0o755);
}
