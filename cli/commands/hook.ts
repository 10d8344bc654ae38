import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { text as read } from 'node:stream/consumers';
import { plainPath } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { ENVIRONMENT_OPTION, FLOOR_OPTION, text, type Command, type Option, type Options } from '../command.ts';
import { install, uninstall } from '../hook/install.ts';
import { judge } from '../hook/judge.ts';
import type { Io } from '../io.ts';
import { placeOf, stateDirOf } from '../place.ts';

const SUMMARIES = {
  install: 'make a bare repository refuse pushes that are not valid, and show whoever pushes the plan',
  uninstall: 'take the hook out again',
  'pre-receive': 'what the hook runs: judges a push that git describes on standard input',
};

/** What is said once, when it is installed, and holds for every push. */
const JUDGE_OPTIONS: readonly Option[] = [
  { flags: '--ref <ref>', description: 'branch that is followed (default: the HEAD of the repository)' },
  { flags: '--path <folder>', description: 'folder of the repo that holds the config' },
  ENVIRONMENT_OPTION,
  FLOOR_OPTION,
  { flags: '--state-dir <dir>', description: 'state directory of the Slipway whose live system the plan is against' },
  {
    flags: '--server <url>',
    description: 'plan against a Slipway elsewhere; $SLIPWAY_TOKEN or `slipway login` lets it in',
  },
  {
    flags: '--force-push-option <text>',
    description: 'let in what a guard blocks where somebody pushes with `-o <text>` (default: nobody can)',
  },
];

/** As {@link JUDGE_OPTIONS} has them, by their camel-case names. */
const FLAGS: Readonly<Record<string, string>> = {
  ref: '--ref',
  path: '--path',
  env: '--env',
  floor: '--floor',
  stateDir: '--state-dir',
  server: '--server',
  forcePushOption: '--force-push-option',
};

export const command: Command = {
  summary: 'judge pushes to a bare repository before they are kept: install, uninstall',
  usage: '<install|uninstall>',
  commands: {
    install: { summary: SUMMARIES.install, make: () => installing },
    uninstall: { summary: SUMMARIES.uninstall, make: () => uninstalling },
    'pre-receive': { summary: SUMMARIES['pre-receive'], make: () => preReceive },
  },
  examples: ['slipway hook install ../remote.git', 'slipway hook uninstall ../remote.git'],
  run: ({ args: [action] }) =>
    Promise.reject(
      new SlipwayError('usage', `There is no \`hook ${action}\`; there are \`hook install\` and \`hook uninstall\`.`),
    ),
};

const installing: Command = {
  summary: SUMMARIES.install,
  usage: '<repo>',
  options: [
    ...JUDGE_OPTIONS,
    { flags: '--program <file>', description: 'the slipway that the hook runs (default: this one)' },
  ],
  examples: [
    'slipway hook install ../remote.git',
    'slipway hook install ../remote.git --ref main --force-push-option slipway-force',
  ],

  async run({ args, options, io }) {
    const repo = bareRepo(args[0], io);
    const given = { ...options, ...absolute(options, io) };
    const flags = Object.entries(FLAGS).flatMap(([name, flag]) => {
      const value = text(given, name);
      return value === undefined ? [] : [flag, value];
    });
    const program = text(options, 'program');
    const [, self = ''] = process.argv;
    const argv = program === undefined ? [process.execPath, resolve(self)] : [resolve(io.cwd, program)];
    const takesPushOptions = text(options, 'forcePushOption') !== undefined;
    const path = await install(repo, { argv: [...argv, 'hook', 'pre-receive', ...flags], takesPushOptions }, io.signal);
    io.err(`installed ${path}`);
    return 0;
  },
};

const uninstalling: Command = {
  summary: SUMMARIES.uninstall,
  usage: '<repo>',
  examples: ['slipway hook uninstall ../remote.git'],

  async run({ args, io }) {
    const repo = bareRepo(args[0], io);
    const path = await uninstall(repo, io.signal);
    io.err(path === undefined ? `${repo} has no hook of ours` : `removed ${path}`);
    return 0;
  },
};

const preReceive: Command = {
  summary: SUMMARIES['pre-receive'],
  options: JUDGE_OPTIONS,
  examples: ['slipway hook pre-receive --ref main < /dev/null'],

  async run({ options, io }) {
    const dir = resolve(io.cwd, io.env['GIT_DIR'] ?? '.');
    // What is pushed is in quarantine until this hook has ended well: only these say where.
    const quarantine = ['GIT_QUARANTINE_PATH', 'GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES'];
    const env = Object.fromEntries(
      quarantine.flatMap((name) => (io.env[name] === undefined ? [] : [[name, io.env[name]]])),
    ) as Record<string, string>;
    const repository = { dir, path: plainPath(text(options, 'path')), env };
    const stateDir = stateDirOf(options, placeOf(dir, io.cwd), io);
    return judge({ repository, stateDir, options: { ...options, repo: dir }, io }, await read(io.input));
  },
};

/** Where a hook runs, another folder is the current one. */
function absolute(options: Options, io: Io): Options {
  const paths = ['stateDir', 'floor'].flatMap((name): [string, string][] => {
    const path = text(options, name);
    return path === undefined ? [] : [[name, resolve(io.cwd, path)]];
  });
  return Object.fromEntries(paths);
}

/** @throws SlipwayError usage */
function bareRepo(repo: string | undefined, io: Io): string {
  const place = placeOf(repo ?? '', io.cwd);
  const isBare = place.kind === 'git' && !place.isWorkingTree && place.repo.startsWith('/');
  if (repo === undefined || !isBare)
    throw new SlipwayError('usage', `${repo ?? 'Nothing'} is no bare repository on this disk.`, {
      hint: 'Pushes go to bare repositories; `git init --bare` makes one.',
    });
  try {
    return realpathSync(place.repo);
  } catch {
    throw new SlipwayError('usage', `${place.repo} does not exist.`);
  }
}
