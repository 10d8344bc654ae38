import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { simpleGit } from 'simple-git';
import { SlipwayError } from '../../schemas/errors.ts';
import { schemaFor } from '../../schemas/json-schema.ts';
import type { Command } from '../command.ts';
import { commitPaths } from '../git.ts';

const SCHEMA = '.slipway/slipway.json';

export const command: Command = {
  summary: 'make a config repo that works at once',
  usage: '[dir]',
  examples: ['slipway init demo && cd demo && slipway up'],

  async run({ args: [dir = '.'], io }) {
    const root = resolve(io.cwd, dir);
    if (existsSync(root) && readdirSync(root).some((name) => name !== '.git')) {
      throw new SlipwayError('exists', `${root} is not empty.`, { hint: 'Name a new folder.' });
    }
    copyStarter(root);
    await commit(root);
    io.err(`Made ${root}. Next:\n  cd ${relative(io.cwd, root) || '.'}\n  slipway plan\n  slipway up`);
    return 0;
  },
};

/** The quickstart example is the starter: one story, kept working by the same tests. */
function copyStarter(root: string): void {
  const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const starter = [beside('../starter'), beside('../../examples/quickstart')].find((path) => existsSync(path));
  if (starter === undefined)
    throw new SlipwayError('internal', 'The starter files are missing from this installation.');
  mkdirSync(root, { recursive: true });
  cpSync(starter, root, { recursive: true });
  mkdirSync(join(root, dirname(SCHEMA)), { recursive: true });
  writeFileSync(join(root, SCHEMA), `${JSON.stringify(schemaFor(), null, 2)}\n`);
  for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (/\.ya?ml$/.test(file)) pointToSchema(root, join(root, file));
  }
}

/** The schema lies elsewhere in the new repo than it does in the examples. */
function pointToSchema(root: string, file: string): void {
  const schema = relative(dirname(file), join(root, SCHEMA));
  writeFileSync(file, readFileSync(file, 'utf8').replace(/(\$schema=)\S+/g, `$1${schema}`));
}

async function commit(root: string): Promise<void> {
  if (!existsSync(join(root, '.git'))) await simpleGit(root).init(['--initial-branch=main']);
  await commitPaths(root, ['.'], 'Start with Slipway');
}
