import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { simpleGit } from 'simple-git';
import { SlipwayError } from '../../schemas/errors.ts';
import { schemaFor } from '../../schemas/json-schema.ts';
import { text, type Command } from '../command.ts';
import { commitPaths } from '../git.ts';
import type { Io } from '../io.ts';
import { copyStarter, isStarter, STARTERS, type Starter, type StarterName } from '../starters/starters.ts';
import { makeToken } from '../tokens/make.ts';

const SCHEMA = '.slipway/slipway.json';
const NAMES = Object.keys(STARTERS) as StarterName[];
const FIRST_TOKEN = 'admin';

export const command: Command = {
  summary: 'make a config repo that works at once; on a terminal it asks what is not said',
  usage: '[dir]',
  options: [{ flags: '--template <template>', description: 'what to begin with (default: plain)', choices: NAMES }],
  examples: ['slipway init demo && cd demo && slipway up', 'slipway init mcp --template team --no-input'],

  async run({ args: [dir], options, io }) {
    const given = text(options, 'template') as StarterName | undefined;
    // Whoever says what to begin with wants to be asked nothing.
    const ask = given === undefined ? io.ask : undefined;
    const root = resolve(io.cwd, (dir ?? (await ask?.('Which folder? [.] '))) || '.');
    refuseUsed(root);
    const template = given ?? (ask ? await askTemplate(ask, io) : 'plain');
    const starter: Starter = STARTERS[template];
    copyStarter(template, root);
    const token = starter.hasToken ? writeToken(root) : undefined;
    addSchema(root);
    await commit(root);
    if (token !== undefined) {
      io.out(token);
      io.err(`This is the token ${FIRST_TOKEN}, which may do everything. It is shown now, and never again.`);
    }
    const steps = [`cd ${relative(io.cwd, root) || '.'}`, ...(starter.first ? [starter.first] : []), 'slipway up'];
    io.err(`Made ${root}. Next:\n${steps.map((step) => `  ${step}`).join('\n')}`);
    return 0;
  },
};

/** Before anything is asked, and again before anything is written: nobody's files are written over. */
function refuseUsed(root: string): void {
  if (!existsSync(root)) return;
  if (!statSync(root).isDirectory())
    throw new SlipwayError('exists', `${root} is no folder.`, { hint: 'Name a new folder.' });
  if (readdirSync(root).some((name) => name !== '.git'))
    throw new SlipwayError('exists', `${root} is not empty.`, { hint: 'Name a new folder.' });
}

/** By number or by name. What is neither is asked again. */
async function askTemplate(ask: NonNullable<Io['ask']>, io: Io): Promise<StarterName> {
  io.err('What to begin with?');
  NAMES.forEach((name, index) => io.err(`  ${index + 1}  ${name.padEnd(8)} ${STARTERS[name].title}`));
  for (;;) {
    const answer = (await ask(`1–${NAMES.length} [1] `)) || '1';
    const chosen = isStarter(answer) ? answer : NAMES[Number(answer) - 1];
    if (chosen) return chosen;
    io.err(`There is no ${answer}.`);
  }
}

/** Only its hash is written. */
function writeToken(root: string): string {
  const { token, sha256 } = makeToken();
  mkdirSync(join(root, 'tokens'));
  writeFileSync(
    join(root, `tokens/${FIRST_TOKEN}.yaml`),
    `# yaml-language-server: $schema=${SCHEMA}
# Whoever has it may do everything: for the first hour. Then make others, and revoke it.
apiVersion: slipway/v1
kind: Token
metadata: { name: ${FIRST_TOKEN} }
spec:
  description: The one that this repo began with.
  sha256: ${sha256}
  roles: [admin]
`,
  );
  return token;
}

/** The schema lies elsewhere in the new repo than it does in the examples. */
function addSchema(root: string): void {
  mkdirSync(join(root, dirname(SCHEMA)), { recursive: true });
  writeFileSync(join(root, SCHEMA), `${JSON.stringify(schemaFor(), null, 2)}\n`);
  for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!/\.ya?ml$/.test(file)) continue;
    const path = join(root, file);
    const schema = relative(dirname(path), join(root, SCHEMA));
    writeFileSync(path, readFileSync(path, 'utf8').replace(/(\$schema=)\S+/g, `$1${schema}`));
  }
}

async function commit(root: string): Promise<void> {
  if (!existsSync(join(root, '.git'))) await simpleGit(root).init(['--initial-branch=main']);
  await commitPaths(root, ['.'], 'Start with Slipway');
}
