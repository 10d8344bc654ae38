/** What a server's process sees of the environment: a few standard names and what its spec says. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const PASSED_ON = /^(PATH|HOME|LANG|LC_[A-Z]+|TMPDIR|TZ)$/;

/** Marks processes as ours, so that the next start finds those that a crash left behind. */
export const OWNER_VARIABLE = 'SLIPWAY_OWNER';
export const INSTANCE_VARIABLE = 'SLIPWAY_INSTANCE';
/** The Slipway that holds them, so that another can tell whether it is gone. */
export const KEEPER_VARIABLE = 'SLIPWAY_KEEPER';

/** Where a program finds its secret files; systemd calls it so, too. */
export const CREDENTIALS = 'CREDENTIALS_DIRECTORY';

/** Slipway's own environment often holds credentials (of CI, of clouds); a server that could read them would leak them. */
export function scrubbedEnv(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] => PASSED_ON.test(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(kept);
}

/** Where the program of that name is, as the environment's PATH says. */
export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
