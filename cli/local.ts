/** Resources as the config says them, without a running Slipway. */
import { load, maskedResource, memoryParseCache } from '../reconciler/index.ts';
import { SlipwayError } from '../schemas/errors.ts';
import type { Resource } from '../schemas/resource.ts';
import type { Options } from './command.ts';
import type { Io } from './io.ts';
import { printIssues } from './print/issues.ts';
import { withSource } from './with-source.ts';

/** Masked as a running one would mask them. @throws SlipwayError invalid-config after every issue was printed */
export async function localResources(options: Options, io: Io): Promise<Resource[]> {
  const quiet: Io = { ...io, log: (level, ...rest) => io.log(level === 'info' ? 'debug' : level, ...rest) };
  return withSource(options, quiet, async (source) => {
    const { id } = await source.fetch(io.signal);
    const { resources, issues } = await load(source, id, memoryParseCache(), io.signal);
    if (issues.length === 0) return resources.map(maskedResource);
    printIssues(issues, io);
    throw new SlipwayError('invalid-config', 'The config is not valid.', { hint: 'Fix what is named above.' });
  });
}
