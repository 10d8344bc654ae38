/** What `slipway init` begins a config repo with. What an example has already is taken from there: one story, one test. */
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SlipwayError } from '../../schemas/errors.ts';

export interface Starter {
  readonly title: string;
  /** Whose content comes together in it: a folder or file of this repo, and where it goes. */
  readonly parts: readonly (readonly [from: string, to: string])[];
  /** Whether it begins with a token. */
  readonly hasToken?: boolean;
  /** What comes before `slipway up`. */
  readonly first?: string;
}

export const STARTERS = {
  plain: { title: 'two servers on this machine, open to whoever is on it', parts: [['examples/quickstart', '.']] },
  team: {
    title: 'projects, and a token for whoever comes',
    parts: [
      ['cli/starters/team', '.'],
      ['examples/quickstart/servers/hello.yaml', 'servers/hello.yaml'],
      ['examples/quickstart/servers/hello.mjs', 'servers/hello.mjs'],
    ],
    hasToken: true,
  },
  docker: {
    title: 'a server in a container',
    parts: [
      ['cli/starters/docker', '.'],
      ['examples/containers/image', 'image'],
    ],
    first: 'docker build -t example/hello:1 image',
  },
} as const satisfies Readonly<Record<string, Starter>>;

export type StarterName = keyof typeof STARTERS;

export const isStarter = (word: string): word is StarterName => Object.hasOwn(STARTERS, word);

/** Puts a starter together. @param root of this repo */
export function layOut(name: StarterName, root: string, to: string): void {
  for (const [from, place] of STARTERS[name].parts) {
    mkdirSync(dirname(join(to, place)), { recursive: true });
    cpSync(join(root, from), join(to, place), { recursive: true });
  }
}

/** From the folder that the build put it into, or from source. */
export function copyStarter(name: StarterName, to: string): void {
  const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const built = beside(`../starters/${name}`);
  const root = beside('../..');
  mkdirSync(to, { recursive: true });
  if (!import.meta.filename.endsWith('.ts') && existsSync(built)) return cpSync(built, to, { recursive: true });
  if (!existsSync(join(root, 'examples/quickstart')))
    throw new SlipwayError('internal', 'The starter files are missing from this installation.');
  layOut(name, root, to);
}
