/**
 * For a fresh clone on any Node that npm runs on: brings Node 24 and the dependencies, then runs what it was asked to run.
 * Plain JavaScript, because it must start on an old Node. The published package does without it.
 *
 *     node cli/bootstrap.mjs <script> [arguments]
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_VERSION = '24.21.0';
const MIN_MAJOR = 24;

const node = Number(process.versions.node.split('.')[0]) >= MIN_MAJOR ? process.execPath : bundledNode();
installDependencies();

const [script, ...args] = process.argv.slice(2);
const child = spawn(node, [join(root, script), ...args], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
});
// The terminal sends Ctrl-C to the whole group; whoever signals only us means the child.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
child.on('exit', (code, signal) => process.exit(signal ? 1 : code));

/** The npm package `node-<platform>` carries the plain Node binary; it goes to an ignored folder, outside node_modules. */
function bundledNode() {
  const name = `node-${process.platform === 'darwin' && process.arch === 'arm64' ? 'bin-darwin' : process.platform}-${process.arch}`;
  const home = join(root, '.node');
  const binary = join(home, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return binary;
  console.error(
    `Slipway needs Node ${MIN_MAJOR} and this is ${process.version}: fetching Node ${NODE_VERSION} into .node/ with npm.`,
  );
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "private": true }\n');
  npm(
    [
      'install',
      '--prefix',
      home,
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      `${name}@${NODE_VERSION}`,
    ],
    home,
  );
  if (!existsSync(binary))
    fail(
      `npm has no Node ${NODE_VERSION} for ${process.platform}-${process.arch}; install Node ${MIN_MAJOR} yourself.`,
    );
  return binary;
}

/**
 * Installs what the lock file says where it is newer than what is installed. `npm install --no-save` rather than `npm ci`:
 * the lock file leaves out binaries of platforms that a registry does not carry, and `ci` takes that for a fault.
 * No package may run an install script that was not allowed.
 */
function installDependencies() {
  const marker = join(root, 'node_modules', '.package-lock.json');
  const lock = join(root, 'package-lock.json');
  if (existsSync(marker) && statSync(marker).mtimeMs >= statSync(lock).mtimeMs) return;
  console.error('Installing dependencies.');
  npm(['install', '--no-save', '--strict-allow-scripts', '--no-audit', '--no-fund', '--loglevel=error'], root);
}

function npm(npmArgs, cwd) {
  const { status, error } = spawnSync('npm', npmArgs, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  if (error) fail(`npm could not be run: ${error.message}`);
  if (status !== 0) fail(`npm ${npmArgs[0]} failed.`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
