/** Gets into a forge, for whoever has something to say there. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { ForgeClient } from './forges/forge.ts';
import { FORGES } from './forges/index.ts';
import { repositoryIn, type ReviewSettings } from './settings.ts';

/** What the config repo is called there: what the settings say, else what its URL ends with. */
export function repositoryOf(
  settings: Pick<ReviewSettings, 'repository'>,
  remote: string | undefined,
): string | undefined {
  return settings.repository ?? (remote === undefined ? undefined : repositoryIn(remote));
}

/** The forge that a URL is of, where its host says so. */
export function forgeAt(remote: string): ReviewSettings['forge'] | undefined {
  const host = (url: string): string | undefined =>
    URL.canParse(url) ? new URL(url).hostname : /^[^/\s]+@([^/\s:]+):/.exec(url)?.[1];
  const names = Object.keys(FORGES) as ReviewSettings['forge'][];
  return names.find((name) => FORGES[name].url !== '' && host(FORGES[name].url) === host(remote));
}

/** @param remote URL of the config repo @throws SlipwayError forge-refused where it is not known what to ask whom */
export async function openForge(
  settings: Pick<ReviewSettings, 'forge' | 'url' | 'repository'>,
  token: string,
  remote: string | undefined,
): Promise<ForgeClient> {
  const forge = FORGES[settings.forge];
  const repository = repositoryOf(settings, remote);
  if (!forge.connect)
    throw new SlipwayError('forge-refused', 'Nothing can be written there: it is no forge.', {
      hint: 'Name one: Gateway spec.review.forge.',
    });
  if (repository === undefined)
    throw new SlipwayError('forge-refused', 'It is not known which repository of the forge this is.', {
      hint: 'Name it: Gateway spec.review.repository.',
    });
  return forge.connect({ url: settings.url ?? forge.url, repository, token });
}
