/**
 * Images for tests, made from files of this machine: no registry is asked. Each is built once for an engine and found
 * again by its tag, which is a hash of what goes into it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ifThere } from '../../reconciler/drivers/docker/answers.ts';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';
import { exclusively } from './lock.ts';
import { tempDir } from './temp.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/images', import.meta.url));
const BUSYBOX = '/usr/bin/busybox';
/** Of Debian's python3-pip-whl. */
const WHEELS = '/usr/share/python-wheels';
/** How images are made is part of what they are. */
const RECIPES = readFileSync(import.meta.filename, 'utf8');

/** Two megabytes: a shell and its tools, and nothing else. @returns its tag */
export function busyboxImage(engine: Engine): Promise<string> {
  const dockerfile = `FROM scratch\nCOPY rootfs /\nENV PATH=/bin\n`;
  return image(engine, 'busybox', [dockerfile, busyboxVersion()], (context) => {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    layOutBusybox(join(context, 'rootfs'));
  });
}

/** The Node that runs the tests, its shared libraries, and busybox for a shell. @returns its tag */
export function nodeImage(engine: Engine): Promise<string> {
  const dockerfile = `FROM scratch\nCOPY rootfs /\nENV PATH=/usr/local/bin:/usr/bin:/bin\n`;
  return image(engine, 'node', [dockerfile, busyboxVersion(), process.version, process.arch], (context) => {
    const rootfs = join(context, 'rootfs');
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    layOutBusybox(rootfs);
    layOutBinary(rootfs, process.execPath, '/usr/local/bin/node');
  });
}

/** The node image with npm: what an Engine's `runners.npm` may be. @returns its tag */
export async function npmImage(engine: Engine): Promise<string> {
  const npm = join(dirname(realpathSync(which('npm'))), '..');
  const { version } = JSON.parse(readFileSync(join(npm, 'package.json'), 'utf8')) as { version: string };
  const dockerfile = `FROM ${await nodeImage(engine)}
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
`;
  return image(engine, 'npm', [dockerfile, version], (context) => {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    cpSync(npm, join(context, 'npm'), { recursive: true });
  });
}

/** This host's Python with venv and pip: what an Engine's `runners.pypi` may be. @returns its tag */
export function pythonImage(engine: Engine): Promise<string> {
  const python = realpathSync('/usr/bin/python3');
  const library = `/usr/lib/${basename(python)}`;
  const version = execFileSync(python, ['--version'], { encoding: 'utf8' });
  const dockerfile = `FROM scratch\nCOPY rootfs /\nENV PATH=/usr/bin:/bin\n`;
  return image(engine, 'python', [dockerfile, busyboxVersion(), version], (context) => {
    const rootfs = join(context, 'rootfs');
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    layOutBusybox(rootfs);
    layOutBinary(rootfs, python, '/usr/bin/python3');
    cpSync(library, join(rootfs, library), {
      recursive: true,
      dereference: true,
      preserveTimestamps: true, // What is compiled counts only with the time of its source.
      filter: (path) => !/\/(config-[^/]*|test|sitecustomize\.py)$/.test(path),
    });
    const pip = readdirSync(WHEELS).find((name) => name.startsWith('pip-')) ?? '';
    const packages = join(rootfs, '/usr/local/lib', basename(python), 'dist-packages');
    mkdirSync(packages, { recursive: true });
    execFileSync(python, ['-m', 'zipfile', '-e', join(WHEELS, pip), packages]);
    const modules = join(library, 'lib-dynload');
    for (const name of readdirSync(modules)) layOutBinary(rootfs, join(modules, name), join(modules, name));
  });
}

/** The MCP server of `test/fixtures/images/server`: what it can do stands there. @returns its tag */
export async function serverImage(engine: Engine): Promise<string> {
  const files = ['server.mjs', 'Dockerfile'].map((name) => join(FIXTURES, 'server', name));
  const base = await nodeImage(engine);
  return image(
    engine,
    'server',
    [base, ...files.map((file) => readFileSync(file, 'utf8'))],
    (context) => {
      for (const file of files) copyFileSync(file, join(context, file.slice(file.lastIndexOf('/') + 1)));
    },
    { BASE: base },
  );
}

/**
 * Builds an image whose build context `layOut` writes, or is, unless the engine has it.
 * @param parts all that it depends on @returns its tag
 */
export async function image(
  { docker }: Engine,
  name: string,
  parts: readonly string[],
  layOut: Readonly<Record<string, string>> | ((context: string) => void),
  buildargs: Record<string, string> = {},
): Promise<string> {
  const hash = createHash('sha256')
    .update(JSON.stringify([...parts, RECIPES]))
    .digest('hex')
    .slice(0, 16);
  const tag = `slipway-test/${name}:${hash}`;
  const isThere = async (): Promise<boolean> => (await ifThere(docker.getImage(tag).inspect())) !== undefined;
  if (await isThere()) return tag;
  return exclusively('images', async () => {
    if (await isThere()) return tag;
    using context = tempDir();
    if (typeof layOut === 'function') layOut(context.path);
    else for (const [path, content] of Object.entries(layOut)) writeFileSync(join(context.path, path), content);
    const stream = await docker.buildImage(
      { context: context.path, src: ['.'] },
      { t: tag, rm: true, forcerm: true, buildargs },
    );
    const said = await new Promise<{ error?: string; stream?: string }[]>((resolve, reject) =>
      docker.modem.followProgress(stream, (error, output) =>
        error ? reject(error) : resolve(output as { error?: string; stream?: string }[]),
      ),
    );
    const error = said.find((line) => line.error !== undefined)?.error;
    if (error !== undefined || !(await isThere()))
      throw new Error(`${tag} could not be built: ${error}\n${said.map((line) => line.stream ?? '').join('')}`);
    return tag;
  });
}

/** Directories that programs expect, and two users. */
function layOutBusybox(rootfs: string): void {
  for (const folder of ['bin', 'usr/bin', 'etc', 'tmp', 'proc', 'sys', 'dev'])
    mkdirSync(join(rootfs, folder), { recursive: true });
  chmodSync(join(rootfs, 'tmp'), 0o1777);
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n');
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  layOutBinary(rootfs, BUSYBOX, '/bin/busybox');
  const names = execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of names) if (name !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', name));
  symlinkSync('../../bin/busybox', join(rootfs, 'usr/bin/env'));
}

/** A program of this host with the shared libraries that it names (a static one names none), each where the loader looks for it. */
export function layOutBinary(rootfs: string, path: string, place: string): void {
  const libraries = spawnSync('ldd', [path], { encoding: 'utf8' }).stdout.match(/\/\S+(?= \(0x)/g) ?? [];
  for (const [from, to] of [[path, place], ...libraries.map((library) => [library, library])] as [string, string][]) {
    mkdirSync(dirname(join(rootfs, to)), { recursive: true });
    copyFileSync(realpathSync(from), join(rootfs, to));
  }
}

function busyboxVersion(): string {
  return `${statSync(BUSYBOX).size}`;
}

function which(program: string): string {
  return execFileSync('which', [program], { encoding: 'utf8' }).trim();
}
