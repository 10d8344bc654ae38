/** What a command is: data, and a function that returns its exit code. */
import type { Io } from './io.ts';

export interface Option {
  /** As commander reads it: `-o, --output <format>`. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly default?: string;
  /** May be given several times; its value is a list then. */
  readonly repeated?: boolean;
}

/** Values of options by their camel-case names. */
export type Options = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface Invocation {
  readonly args: readonly string[];
  readonly options: Options;
  readonly io: Io;
}

export interface Command {
  readonly summary: string;
  /** Positional arguments as commander reads them: `<server> [json]`. */
  readonly usage?: string;
  readonly options?: readonly Option[];
  /** Words that shells offer for an argument, besides what its placeholder stands for: `{ kind: ['all'] }`. */
  readonly words?: Readonly<Record<string, readonly string[]>>;
  /** Shown below the help. */
  readonly examples?: readonly string[];
  /** Its flags are those of the commands below it; what comes without one of them is for `run` to tell. */
  readonly takesAnyFlag?: boolean;
  /** Commands below this one, by name; each is asked for only when it is called. */
  readonly commands?: Readonly<Record<string, Subcommand>>;
  run(invocation: Invocation): Promise<number>;
}

export interface Subcommand {
  readonly summary: string;
  readonly aliases?: readonly string[];
  make(): Command;
}

/** What every command has. */
export const GLOBAL_OPTIONS: readonly Option[] = [
  { flags: '-q, --quiet', description: 'say nothing but data and errors' },
  { flags: '-v, --verbose', description: 'say what is done' },
  { flags: '--no-input', description: 'never ask: what is missing is an error' },
  { flags: '--debug', description: 'show where an error happened' },
];

/** Which Slipway to speak to. */
export const TARGET_OPTIONS: readonly Option[] = [
  { flags: '--state-dir <dir>', description: 'state directory of the running Slipway' },
  { flags: '--server <url>', description: 'speak to a Slipway elsewhere, e.g. https://mcp.example.com' },
  {
    flags: '--token <token>',
    description: 'bearer token for --server (default: $SLIPWAY_TOKEN, or that of `slipway login`)',
  },
];

/** Where the config comes from. */
export const SOURCE_OPTIONS: readonly Option[] = [
  { flags: '--repo <repo>', description: 'git URL, or a folder with or without git', default: '.' },
  { flags: '--ref <ref>', description: 'branch, tag or commit (default: the HEAD of the repo)' },
  { flags: '--path <folder>', description: 'folder of the repo that holds the config' },
];

/** What the config cannot loosen. */
export const FLOOR_OPTION: Option = {
  flags: '--floor <file>',
  description: 'file outside of the repo with resources that the config cannot loosen',
};

/** For whom the config is read. */
export const ENVIRONMENT_OPTION: Option = {
  flags: '--env <environment>',
  description: 'environment whose Overlays are in force (default: none)',
};

export const outputOption = (choices: readonly string[]): Option => ({
  flags: '-o, --output <format>',
  description: 'output format',
  choices,
  default: choices[0] ?? 'table',
});

/** A branch of its own, unless one is named, and a request to merge it. */
export const PR_OPTION: Option = {
  flags: '--pr',
  description:
    'commit to a new branch and open a pull request, at the forge that Gateway spec.review or $SLIPWAY_FORGE names',
};

/** How a command that writes to the config repo is told what to do with the change. */
export const WRITE_OPTIONS: readonly Option[] = [
  ...SOURCE_OPTIONS,
  { flags: '--dry-run', description: 'check and tell, but write nothing' },
  { flags: '--diff', description: 'show what changes in which file' },
  { flags: '--branch <name>', description: 'commit to a new branch instead' },
  PR_OPTION,
  { flags: '-m, --message <text>', description: 'message of the commit; in a working tree, commit the change' },
  outputOption(['text', 'name', 'yaml', 'json']),
];

/** Every value of an option that may be given several times. */
export function texts(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : [];
}

export function text(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
