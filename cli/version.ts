/** The version of this program, from its package. */
import { readFileSync } from 'node:fs';

interface Manifest {
  readonly version: string;
}

/** The manifest lies one folder up, beside the source as beside the bundle. */
export const VERSION = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Manifest)
  .version;
