/** `--pr`: a change is a branch of its own and a pull request, at the forge that the config or the environment names. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import {
  compile,
  forgeAt,
  isForge,
  openForge,
  originOf,
  planBetween,
  planMarkdown,
  secretOpener,
  statePaths,
  type ForgeClient,
  type Loaded,
  type ReviewSettings,
} from '../../reconciler/index.ts';
import { contextOf } from '../context.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Io } from '../io.ts';
import type { Place } from '../place.ts';
import type { Draft } from './draft.ts';

/** Below what Slipway pushes itself: that starts nothing. */
export const newBranch = (): string => `slipway/change-${randomBytes(4).toString('hex')}`;

/** Where the branch goes: a working tree's change goes to where it was cloned from. @throws SlipwayError usage */
export async function pushUrlOf(place: Place, signal: AbortSignal): Promise<string> {
  if (!place.isWorkingTree) return place.repo;
  const origin = place.kind === 'git' ? await originOf(place.repo, signal) : undefined;
  if (origin === undefined)
    throw new SlipwayError('usage', `${place.repo} has no remote origin that a pull request could be opened at.`);
  // A path is meant from where the working tree is.
  return /^([a-z][a-z0-9+.-]*:\/\/|[^/\s]+@[^/\s:]+:)/i.test(origin) ? origin : resolve(place.repo, origin);
}

/**
 * The forge, before anything is pushed.
 *
 * Token theft: what is to be written may name another forge. Settings are those of the config as it is.
 * @param remote URL of the config repo @throws SlipwayError forge-refused, secret-unavailable
 */
export async function forgeOf(
  { base }: Pick<Draft, 'base'>,
  { remote, stateDir }: { readonly remote: string; readonly stateDir: string },
  { env }: Pick<Io, 'env'>,
): Promise<ForgeClient> {
  const said = base.issues.length === 0 ? compile(base).draft.review : undefined;
  const settings = { ...said, ...fromEnvironment(env) };
  const forge = settings.forge ?? forgeAt(remote);
  if (forge === undefined)
    throw new SlipwayError('forge-refused', 'It is not known at which forge the config repo is kept.', {
      hint: 'Say it in Gateway spec.review, or in SLIPWAY_FORGE, SLIPWAY_FORGE_URL and SLIPWAY_FORGE_REPOSITORY.',
    });
  const { sealed, blobs } = statePaths(stateDir);
  const token = env['SLIPWAY_FORGE_TOKEN'] || (said?.token && (await secretOpener({ sealed, blobs }, env)(said.token)));
  if (!token)
    throw new SlipwayError('forge-refused', 'There is no token for the forge.', {
      hint: 'Set SLIPWAY_FORGE_TOKEN, or Gateway spec.review.token.',
    });
  return openForge({ ...settings, forge }, token, remote);
}

/** @throws SlipwayError usage */
function fromEnvironment(env: NodeJS.ProcessEnv): Partial<Pick<ReviewSettings, 'forge' | 'url' | 'repository'>> {
  const { SLIPWAY_FORGE: forge, SLIPWAY_FORGE_URL: url, SLIPWAY_FORGE_REPOSITORY: repository } = env;
  if (forge !== undefined && !isForge(forge)) throw new SlipwayError('usage', `SLIPWAY_FORGE=${forge} is no forge.`);
  return {
    ...(forge === undefined ? {} : { forge }),
    ...(url === undefined ? {} : { url: url.replace(/\/+$/, '') }),
    ...(repository === undefined ? {} : { repository }),
  };
}

/** The first line of the message is the title; below the rest of it, what the change would do. */
export async function requestText(
  base: Loaded,
  after: Loaded,
  message: string,
): Promise<{ readonly title: string; readonly text: string }> {
  const [title = '', ...rest] = message.trim().split('\n');
  const told = base.issues.length === 0 ? planMarkdown(await planBetween(base, after, { contextOf })) : '';
  return { title, text: [rest.join('\n').trim(), told].filter((part) => part !== '').join('\n\n') };
}
