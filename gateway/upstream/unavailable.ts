/** What to say where a server cannot be had: which one it is, why, and where to look. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { ServerEntry } from '../../schemas/snapshot.ts';

interface Named {
  readonly name: string;
  readonly entry: Pick<ServerEntry, 'unavailable'>;
}

/** Why a server has no instance that could be asked. */
export const whyNone = ({ entry }: Named): string => entry.unavailable?.message ?? 'It has no running instance.';

export function unavailable(server: Named, reason = whyNone(server), cause?: unknown): SlipwayError {
  const hint = `See \`slipway describe server ${server.name}\`.`;
  return new SlipwayError('upstream-unavailable', `${server.name}: ${reason}`, { hint, cause });
}

/** An error of one of its connections, with the server's name in it. */
export function named(server: Named, error: unknown): unknown {
  if (!(error instanceof SlipwayError)) return error;
  if (error.code === 'upstream-unavailable') return unavailable(server, error.message, error);
  if (error.code !== 'crash-loop') return error;
  const hint = error.hint.replace('<server>', server.name);
  return new SlipwayError('crash-loop', `${server.name}: ${error.message}`, { hint, cause: error });
}
