/** The plan of a pull request: of what merging it would make, against what runs. No secret is opened, and nothing of it is run. */
import { SlipwayError } from '../../schemas/errors.ts';
import { exitCodeOf, type Plan } from '../../schemas/plan.ts';
import { countsOf, NOTHING_TO_DO } from '../../schemas/plan-words.ts';
import { memoryParseCache, type ParseCache } from '../parse-cache.ts';
import { preview } from '../preview.ts';
import { readFloor } from '../trust/floor.ts';
import type { Source } from '../source/source.ts';
import { observe, type World } from '../world.ts';
import type { Verdict } from './forges/forge.ts';
import { code, issuesMarkdown, planMarkdown } from './markdown.ts';

export interface Planned {
  /** Full ids of what was merged, and into what. */
  readonly head: string;
  readonly base: string;
  readonly verdict: Verdict;
  /** One line. */
  readonly summary: string;
  /** Markdown. */
  readonly text: string;
}

/** What a request may bring that is to be parsed. */
const MAX_FILES = 1000;
const MAX_BYTES = 2 * 2 ** 20;

/**
 * What is wrong with the request is an outcome.
 * @param head the ref that its head can be fetched from
 * @throws SlipwayError for what is not: a remote that does not answer, drivers that do not
 */
export async function planRequest(world: World, head: string, signal: AbortSignal): Promise<Planned> {
  const merged = await world.source.merged?.({ head }, signal);
  if (!merged) throw new SlipwayError('usage', 'The config is followed as a folder, which has no pull requests.');
  const ids = { head: merged.head, base: merged.base };
  if (merged.conflicts) return { ...ids, ...conflicting(merged.conflicts) };
  const { environment } = world.source;
  if (await isFlood(merged.source, world.cache, signal)) return { ...ids, ...tooMuch() };
  const source = { ...merged.source, ...(environment === undefined ? {} : { environment }) };
  try {
    const { issues, plan } = await preview(source, await observe(world, signal), besides(world.cache), signal, {
      floor: await readFloor(world.floor),
      // Nobody has signed what merging would make.
      isUnsigned: true,
      contextOf: world.contextOf,
    });
    if (plan) return { ...ids, ...told(plan) };
    const count = `${issues.length} issue${issues.length === 1 ? '' : 's'}`;
    return { ...ids, verdict: 'failure', summary: `The config is not valid: ${count}`, text: issuesMarkdown(issues) };
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.row.next !== 'fix') throw error;
    return { ...ids, verdict: 'failure', summary: error.message, text: `**${code(error.message)}**` };
  }
}

/** What strangers wrote is kept for as long as their plan takes, and pushes out nothing of what is followed. */
function besides(known: ParseCache): ParseCache {
  const own = memoryParseCache();
  return {
    ...own,
    lock: (id) => known.lock(id) ?? own.lock(id),
    get: (id, path) => known.get(id, path) ?? own.get(id, path),
  };
}

/**
 * Floods: whoever can open a request can put any number of files into it, and calls wait while they are parsed. What is
 * followed already does not count.
 */
async function isFlood(source: Source, known: ParseCache, signal: AbortSignal): Promise<boolean> {
  const tree = await source.files(await source.probe(signal), signal);
  const fresh = tree.filter(({ id, path }) => /\.ya?ml$/.test(path) && !known.get(id, path) && !known.lock(id));
  return fresh.length > MAX_FILES || fresh.reduce((sum, { bytes }) => sum + bytes, 0) > MAX_BYTES;
}

function tooMuch(): Pick<Planned, 'verdict' | 'summary' | 'text'> {
  const summary = `It changes more than ${MAX_FILES} files of config, or ${MAX_BYTES / 2 ** 20} MiB`;
  return {
    verdict: 'failure',
    summary,
    text: `**${summary}.** That is too much for a plan here: see \`slipway plan\`.`,
  };
}

function conflicting(paths: readonly string[]): Pick<Planned, 'verdict' | 'summary' | 'text'> {
  const list = paths.map((path) => `- ${code(path)}`).join('\n');
  const summary = `It cannot be merged: ${paths.length === 0 ? 'the histories have nothing in common' : 'there are conflicts'}`;
  return { verdict: 'failure', summary, text: `**${summary}.** There is a plan once that is resolved.\n\n${list}` };
}

function told(plan: Plan): Pick<Planned, 'verdict' | 'summary' | 'text'> {
  const verdict = ({ 0: 'success', 2: 'changes', 3: 'blocked' } as const)[exitCodeOf(plan)];
  const [guard] = plan.guards;
  const counts = plan.changes.some(({ action }) => action !== 'noop') ? countsOf(plan) : NOTHING_TO_DO;
  const summary = guard ? `Blocked (${guard.code}): ${guard.message}` : counts;
  return { verdict, summary, text: planMarkdown(plan) };
}
