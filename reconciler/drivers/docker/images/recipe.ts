/** How the image for a package is made: what is written once for each ecosystem. */
import { readFileSync } from 'node:fs';
import type { Log } from '../../../../schemas/log.ts';
import type { Program } from '../../../workload.ts';

export type PackageProgram = Extract<Program, { type: 'package' }>;

export interface Recipe {
  /** Base image where the Engine names none. */
  readonly base: string;
  /**
   * Installs in a first stage, of which only the result goes into the image: neither the settings nor caches. Its
   * arguments are BASE, OWNER, BUILD, {@link Recipe.settings} and {@link Recipe.authorities}.
   */
  readonly dockerfile: string;
  /**
   * Raised when other changes than of the Dockerfile make another image: it is part of the image's tag. The text of
   * {@link Recipe.files} is not, because it looks different in the bundle, and images must outlive an update of Slipway.
   */
  readonly revision: number;
  /** Environment variables of Slipway that say where packages come from, in the form in which the tool reads them. */
  readonly settings: readonly string[];
  /** Environment variable that names a file with more certificate authorities; as argument, {@link AUTHORITIES}. */
  readonly authorities: string;
  /** What lies beside the Dockerfile. */
  files(program: PackageProgram): Readonly<Record<string, string>>;
}

/** The file of certificate authorities, in the build context and in the first stage. */
export const AUTHORITIES = { file: 'ca.pem', path: '/tmp/ca.pem' };

/** In a URL; some settings hold several. */
const CREDENTIALS = /:\/\/[^/\s]*@/;
/** Builders take these without being told, and leave them out of an image's history. */
const PROXIES = /^(https?|all|no|ftp)_proxy$/i;

/**
 * What of Slipway's environment a build is given. Credentials are not: arguments of a build are kept by engines in the
 * history of images, where everybody reads them who may pull.
 */
export function buildSettings(recipe: Recipe, log: Log, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [variable, value] of Object.entries(env)) {
    if (value === undefined) continue;
    const name = recipe.settings.find((setting) => setting.toLowerCase() === variable.toLowerCase());
    if (name !== undefined && CREDENTIALS.test(value))
      log('warn', `${variable} holds credentials and is not given to builds`);
    else if (name !== undefined) given[name] = value;
    else if (PROXIES.test(variable)) given[variable] = value;
  }
  return given;
}

/**
 * The certificate authorities that this host trusts besides the usual ones: that of a company's registry or proxy.
 * @returns what the build gets: the file, empty where there are none, and the argument that names it
 */
export function buildAuthorities(
  { authorities }: Recipe,
  log: Log,
  env: NodeJS.ProcessEnv = process.env,
): { file: string; args: Record<string, string> } {
  const path = env[authorities];
  if (!path) return { file: '', args: {} };
  try {
    return { file: readFileSync(path, 'utf8'), args: { [authorities]: AUTHORITIES.path } };
  } catch {
    log('warn', `${authorities} names a file that cannot be read`);
    return { file: '', args: {} };
  }
}
