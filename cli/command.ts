/** What a command is: data, and a function that returns its exit code. */
import type { Io } from './io.ts';

export interface Option {
  /** As commander reads it: `-o, --output <format>`. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly default?: string;
}

/** Values of options by their camel-case names. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

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
  /** Shown below the help. */
  readonly examples?: readonly string[];
  run(invocation: Invocation): Promise<number>;
}

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

export const outputOption = (choices: readonly string[]): Option => ({
  flags: '-o, --output <format>',
  description: 'output format',
  choices,
  default: choices[0] ?? 'table',
});

export function text(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
