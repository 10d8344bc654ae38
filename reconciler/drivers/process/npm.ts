/**
 * npm packages: each exact version is installed once into a directory of its own, with its lock file kept, and run from
 * there. A bare `npx` at every start would resolve again, float, and take seconds.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../../schemas/errors.ts';
import type { Log } from '../../../schemas/log.ts';
import { untilAborted } from '../../async.ts';
import { chooseBin, type NpmManifest, type NpmProgram } from '../npm-package.ts';
import { scrubbedEnv } from './environment.ts';

const INSTALL_TIMEOUT_MS = 300_000;
const INSTALLING = '.installing-';

/** Installations that run, by their final place, so that two instances of a package wait for one. */
export type Installs = Map<string, Promise<void>>;

/** Where that version of the package is installed. */
export function npmHome(packages: string, { name, version }: NpmProgram): string {
  return join(packages, 'npm', `${name.replace('/', '+')}@${version}`);
}

/** @returns the argv prefix that runs the package's program @throws SlipwayError install-failed, tool-missing */
export async function prepareNpm(
  program: NpmProgram,
  { packages, installs }: { packages: string; installs: Installs },
  log: Log,
  signal: AbortSignal,
): Promise<string[]> {
  const home = npmHome(packages, program);
  while (!existsSync(home)) {
    const running = installs.get(home);
    // Another's installation that fails or is cancelled is tried again by whoever still wants it.
    if (running)
      await untilAborted(
        running.catch(() => {}),
        signal,
      );
    else await track(installs, home, install(program, home, log, signal));
  }
  return programOf(program, join(home, 'node_modules', program.name));
}

async function track(installs: Installs, home: string, installation: Promise<void>): Promise<void> {
  installs.set(home, installation);
  try {
    await installation;
  } finally {
    installs.delete(home);
  }
}

/** What a run that was killed had begun to install. */
export function removeHalfInstalled(packages: string): void {
  const folder = join(packages, 'npm');
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name.includes(INSTALLING)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Installs beside the final place and renames at the end, so that a crash never leaves half a package in use. */
async function install({ name, version }: NpmProgram, home: string, log: Log, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(home), { recursive: true });
  const temporary = await mkdtemp(`${home}${INSTALLING}`);
  log('info', `installing ${name}@${version} from npm`);
  const began = performance.now();
  try {
    await writeFile(
      join(temporary, 'package.json'),
      JSON.stringify({ private: true, dependencies: { [name]: version } }),
    );
    await npm(
      [
        'install',
        '--ignore-scripts',
        '--omit=dev',
        '--no-audit',
        '--no-fund',
        '--no-update-notifier',
        '--loglevel=error',
      ],
      temporary,
      signal,
    );
    await rename(temporary, home).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // Somebody else was faster: just as good.
    });
    log('info', `installed ${name}@${version}`, { seconds: Number(((performance.now() - began) / 1000).toFixed(1)) });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Scripts of packages never run (`--ignore-scripts`): they would run with Slipway's rights before anybody looked at them. */
function npm(args: readonly string[], cwd: string, signal: AbortSignal): Promise<void> {
  const env = { ...scrubbedEnv(), ...npmSettings() };
  return new Promise((resolve, reject) => {
    execFile(
      'npm',
      args,
      { cwd, env, signal, timeout: INSTALL_TIMEOUT_MS, maxBuffer: 2 ** 22 },
      (error, _stdout, stderr) => {
        if (!error) return resolve();
        if (error.name === 'AbortError') return reject(signal.reason);
        if ((error as NodeJS.ErrnoException).code === 'ENOENT')
          return reject(new SlipwayError('tool-missing', 'npm is not installed on this host.'));
        const lines = stderr.split('\n').filter((line) => /^npm error (?!A complete log|\s*$)/.test(line));
        const why =
          lines
            .slice(0, 3)
            .map((line) => line.replace('npm error ', ''))
            .join(' ') || 'npm failed';
        reject(new SlipwayError('install-failed', `${args.at(0)}: ${why}`, { cause: error }));
      },
    );
  });
}

/** Where packages come from (registry, proxies, certificates) is the operator's setting and is passed on to npm alone. */
function npmSettings(): Record<string, string> {
  const wanted = /^(npm_config_.*|https?_proxy|no_proxy|node_extra_ca_certs|ssl_cert_file)$/i;
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] => wanted.test(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}

async function programOf(program: NpmProgram, packageDir: string): Promise<string[]> {
  const manifest = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as NpmManifest;
  const choice = chooseBin(manifest, program);
  if ('problem' in choice)
    throw new SlipwayError('start-failed', choice.problem, { hint: 'Name one with package.bin.' });
  const path = join(packageDir, choice.file);
  return (await isNodeScript(path)) ? [process.execPath, path] : [path];
}

/** A script for Node runs on the Node that runs Slipway, which is known to be new enough. */
async function isNodeScript(path: string): Promise<boolean> {
  if (/\.[cm]?js$/.test(path)) return true;
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(128), 0, 128, 0);
  return /^#!.*\bnode\b/.test(buffer.toString('latin1', 0, bytesRead));
}
