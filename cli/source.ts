/** From what `--repo` says to a source. */
import { join } from 'node:path';
import { SlipwayError } from '../schemas/errors.ts';
import type { Log } from '../schemas/log.ts';
import { directorySource, gitSource, type Source } from '../reconciler/index.ts';
import { text, type Options } from './command.ts';
import type { Place } from './place.ts';

/** @param mirror where a git source keeps its bare mirror */
export function openSource(options: Options, place: Place, mirror: string, log: Log): Source {
  const ref = text(options, 'ref');
  const path = text(options, 'path');
  if (place.kind === 'folder') {
    if (ref !== undefined)
      throw new SlipwayError('usage', `${place.repo} is no git repository, so --ref means nothing there.`);
    return inEnvironment(directorySource(path === undefined ? place.repo : join(place.repo, path)), options);
  }
  const source = gitSource({
    url: place.repo,
    mirror,
    log,
    ...(ref === undefined ? {} : { ref }),
    ...(path === undefined ? {} : { path }),
  });
  return inEnvironment(source, options);
}

/** The source, read for what `--env` names. */
export function inEnvironment(source: Source, options: Options): Source {
  const environment = text(options, 'env');
  if (environment === undefined) return source;
  const { merged } = source;
  return {
    ...source,
    environment,
    description: `${source.description} (environment ${environment})`,
    ...(merged
      ? {
          merged: async (request, signal) => {
            const found = await merged(request, signal);
            return found.conflicts ? found : { ...found, source: { ...found.source, environment } };
          },
        }
      : {}),
  };
}
