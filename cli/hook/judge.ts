/** What a push to the branch that is followed would do. Run by git, in the repository, before anything of the push is kept. */
import {
  asIfRunning,
  commitSource,
  headRefOf,
  memoryParseCache,
  NOTHING,
  preview,
  readFloor,
  resolveCommit,
  trustOf,
  type Actual,
  type Repository,
} from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { exitCodeOf } from '../../schemas/plan.ts';
import { actual } from '../actual.ts';
import { text, type Options } from '../command.ts';
import type { Io } from '../io.ts';
import { floorOf } from '../place.ts';
import { printIssues } from '../print/issues.ts';
import { planText } from '../print/plan.ts';

/** One line of what git tells the hook. */
interface Update {
  readonly before: string;
  readonly after: string;
  readonly ref: string;
}

const NONE = /^0+$/;
/** Somebody waits at a terminal. */
const TIMEOUT_MS = 60_000;

/** @param input `<old id> <new id> <ref>` lines @returns 0 to let the push in, 1 or 3 to refuse all of it */
export async function judge(
  { repository, stateDir, options, io: given }: { repository: Repository; stateDir: string; options: Options; io: Io },
  input: string,
): Promise<number> {
  const io = { ...given, signal: AbortSignal.any([given.signal, AbortSignal.timeout(TIMEOUT_MS)]) };
  const followed = await followedRef(repository, options, io.signal);
  const update = updatesIn(input).find(({ ref }) => ref === followed);
  if (!update) return 0;
  const isForced = isForcedBy(text(options, 'forcePushOption'), io.env);
  if (NONE.test(update.after))
    return forced(isForced, `${followed} is what Slipway follows; without it there is nothing to follow.`, io);
  const otherwise = (): Promise<Actual> => asBefore(repository, update.before, options, io);
  const there = await actual(options, io, stateDir, otherwise);
  const source = sourceOf(await asFollowed(repository, there, io.signal), update.after, options);
  const floor = await readFloor(floorOf(options, io));
  const { plan, issues } = await preview(source, there, memoryParseCache(), io.signal, { floor });
  if (!plan) {
    printIssues(issues, io);
    io.err('The push was refused: the config would not be valid.');
    return 1;
  }
  io.out(planText(plan, io.paint));
  return exitCodeOf(plan) === 3 ? forced(isForced, 'A guard blocks this plan.', io) : 0;
}

/** Without a Slipway here: what the push changes, as if what was there before ran. */
async function asBefore(repository: Repository, before: string, options: Options, io: Io): Promise<Actual> {
  const nothing = { applied: NOTHING, instances: [], failures: {} };
  if (NONE.test(before)) return nothing;
  const { desired, issues } = await preview(
    sourceOf(repository, before, options),
    nothing,
    memoryParseCache(),
    io.signal,
    // It is there, whoever signed it.
    { isUnsigned: true },
  );
  // What was there before may be broken; nobody can say then what it made.
  if (issues.length > 0) return nothing;
  const accepted = { commit: before, follows: repository.dir, trust: trustOf(desired.resources) };
  return { ...asIfRunning(desired), accepted };
}

/** What was accepted last is a predecessor of the push, if it is in this repository at all. */
async function asFollowed(repository: Repository, { accepted }: Actual, signal: AbortSignal): Promise<Repository> {
  const known = accepted && (await resolveCommit(repository.dir, accepted.commit, signal));
  return known ? { ...repository, follows: accepted.follows } : repository;
}

function sourceOf(repository: Repository, commit: string, options: Options) {
  const environment = text(options, 'env');
  return { ...commitSource(repository, commit), ...(environment === undefined ? {} : { environment }) };
}

async function followedRef(repository: Repository, options: Options, signal: AbortSignal): Promise<string> {
  const ref = text(options, 'ref');
  if (ref === undefined) return headRefOf(repository, signal);
  return ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
}

/** @throws SlipwayError usage for what git does not say */
function updatesIn(input: string): Update[] {
  return input
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, before, after, ref] = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (.+)$/.exec(line) ?? [];
      if (before === undefined || after === undefined || ref === undefined)
        throw new SlipwayError('usage', 'This is for git to run: it says on standard input what is pushed.');
      return { before, after, ref };
    });
}

/** `git push -o <name>` (githooks(5), `GIT_PUSH_OPTION_*`). */
function isForcedBy(name: string | undefined, env: NodeJS.ProcessEnv): boolean {
  const count = Number(env['GIT_PUSH_OPTION_COUNT'] ?? 0);
  return name !== undefined && Array.from({ length: count }, (_, n) => env[`GIT_PUSH_OPTION_${n}`]).includes(name);
}

function forced(isForced: boolean, why: string, io: Io): number {
  io.err(
    isForced
      ? `${why} It was let in because you asked for it; what runs goes by the guards all the same.`
      : `The push was refused: ${why}`,
  );
  return isForced ? 0 : 3;
}
