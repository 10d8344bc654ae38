/** What runs, for plans that the reconciler does not make itself. */
import { existsSync } from 'node:fs';
import { NOTHING, readApplied, statePaths, type Actual } from '../reconciler/index.ts';
import { SlipwayError } from '../schemas/errors.ts';
import { text, type Options } from './command.ts';
import type { Io } from './io.ts';
import { findTarget } from './target.ts';

/**
 * Asked of the running Slipway, else read from what it left, else something else.
 * @param otherwise where nothing was ever applied here; nothing, unless it is said
 */
export async function actual(
  options: Options,
  io: Io,
  stateDir: string,
  otherwise?: () => Promise<Actual>,
): Promise<Actual> {
  try {
    const target = await findTarget(options, io, 'own');
    return await target.json<Actual>('GET', '/actual');
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'not-running') throw error;
    if (text(options, 'server') !== undefined) throw error;
  }
  const paths = statePaths(stateDir);
  const applied = existsSync(paths.applied) ? readApplied(paths.applied) : undefined;
  if (!applied && otherwise) return otherwise();
  io.err(
    applied ? 'No Slipway runs: compared with what was applied last.' : 'No Slipway runs: compared with an empty host.',
  );
  return {
    applied: applied?.desired ?? NOTHING,
    instances: [],
    failures: applied?.failures ?? {},
    accepted: applied?.accepted,
    known: applied?.readiness,
  };
}
