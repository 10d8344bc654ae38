/**
 * What people and agents without push rights ask for. Each proposal is a branch of the config repo, so that it can be looked at,
 * discussed and merged like any other; saying yes here makes that merge.
 */
import { randomBytes } from 'node:crypto';
import type { ControlCaller } from '../../schemas/control.ts';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import { PROPOSALS, type Proposal, type ProposalRequest } from '../../schemas/proposals.ts';
import { addressOf, type Issue } from '../../schemas/resource.ts';
import type { OpenSecret } from '../../schemas/upstream-auth.ts';
import { load, type Loaded } from '../load.ts';
import { memoryParseCache } from '../parse-cache.ts';
import { preview } from '../preview.ts';
import { planRequest, type Planned } from '../review/plan-request.ts';
import { openForge } from '../review/forge-client.ts';
import { code } from '../review/markdown.ts';
import { commitTo, headBranch } from '../source/commit.ts';
import { git } from '../source/git-command.ts';
import type { Repository, Source } from '../source/source.ts';
import { observe, type World } from '../world.ts';
import { edited } from './edit.ts';
import { listed } from './branches.ts';
import { checkLeave } from './leave.ts';

/** Open at a time: who may ask must not be able to fill the repo. */
const MOST = 100;

export type ProposalPlan = Pick<Planned, 'verdict' | 'summary' | 'text'>;

export interface ProposalsOptions {
  /** Called when the config changed. */
  readonly sync: () => void;
  /** For the forge's token. Without it no pull requests are opened. */
  readonly secrets?: OpenSecret | undefined;
}

export class Proposals {
  readonly #world: World;
  readonly #options: ProposalsOptions;
  /** One at a time: they share a repository. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(world: World, options: ProposalsOptions) {
    this.#world = world;
    this.#options = options;
  }

  list(signal: AbortSignal): Promise<Proposal[]> {
    return this.#next(() => listed(this.#place(), signal));
  }

  /** @throws SlipwayError not-found */
  find(id: string, signal: AbortSignal): Promise<Proposal> {
    return this.#next(() => this.#find(id, signal));
  }

  /** What saying yes would do. */
  plan(id: string, signal: AbortSignal): Promise<ProposalPlan> {
    return this.#next(async () => {
      const { verdict, summary, text } = await planRequest(this.#world, refOf(id), signal);
      return { verdict, summary, text };
    });
  }

  /** @throws SlipwayError forbidden, invalid-config with the issues, conflict where too many are open, and what the remote says */
  propose(request: ProposalRequest, { key, grant }: ControlCaller, signal: AbortSignal): Promise<Proposal> {
    if (!grant.mayAny('create', 'proposals'))
      throw new SlipwayError('forbidden', 'No role of yours may create proposals.');
    return this.#next(async () => {
      const { source } = this.#world;
      const place = this.#place();
      const open = await listed(place, signal);
      if (open.length >= MOST) throw new SlipwayError('conflict', `There are ${MOST} open proposals already.`);
      const { id: parent } = await source.fetch(signal);
      const before = await this.#load(source, parent, signal);
      const files = await edits(source, before, request, signal);
      if (files.size === 0) throw new SlipwayError('invalid-value', 'The config says all of that already.');
      const id = nameFor(request.title);
      const prefix = place.repository.path === '' ? '' : `${place.repository.path}/`;
      const commit = await commitTo({
        mirror: place.repository.dir,
        remote: place.remote,
        branch: PROPOSALS + id,
        isNew: true,
        parent,
        message: messageOf(request, id, key),
        files: new Map(
          [...files].map(([path, text]) => [
            prefix + path,
            text === null ? null : { content: text, executable: false },
          ]),
        ),
        env: identityOf(key),
        signal,
      });
      const after = await this.#load(source, commit, signal);
      if (after.issues.length > 0) {
        await this.#drop(id, signal);
        throw notValid(after.issues);
      }
      const [proposal] = (await listed(place, signal)).filter((one) => one.id === id);
      if (!proposal) throw new SlipwayError('internal');
      return { ...proposal, ...(await this.#request(proposal, signal)) };
    });
  }

  /**
   * Merges it: the very commit that was checked is pushed.
   * @throws SlipwayError forbidden, not-found, conflict, invalid-config, blocked
   */
  approve(id: string, { key, grant }: ControlCaller, signal: AbortSignal): Promise<{ readonly commit: string }> {
    return this.#next(async () => {
      const { source } = this.#world;
      const proposal = await this.#find(id, signal);
      const merged = await source.merged?.({ head: refOf(id), message: yesTo(proposal, key) }, signal);
      if (!merged) throw noGit();
      if (merged.conflicts)
        throw new SlipwayError('conflict', `It conflicts with what was pushed since: ${merged.conflicts.join(', ')}.`, {
          hint: 'Propose it anew, or merge its branch by hand.',
        });
      const { repository } = merged.source;
      const { id: commit } = await merged.source.fetch(signal);
      if (!repository) throw noGit();
      await checkLeave(grant, repository, merged.base, commit, signal);
      const { environment } = source;
      const checked = { ...merged.source, ...(environment === undefined ? {} : { environment }) };
      const { issues, plan } = await preview(checked, await observe(this.#world, signal), memoryParseCache(), signal);
      if (issues.length > 0) throw notValid(issues);
      if (plan && plan.guards.length > 0)
        throw new SlipwayError('blocked', plan.guards.map(({ message }) => message).join(' '));
      await merged.land(signal);
      await this.#drop(id, signal);
      this.#options.sync();
      return { commit };
    });
  }

  /** Takes its branch away. @throws SlipwayError forbidden, not-found */
  reject(id: string, { key, grant }: ControlCaller, signal: AbortSignal): Promise<void> {
    return this.#next(async () => {
      const { by } = await this.#find(id, signal);
      if (by !== key && !grant.may('delete', 'proposals') && !grant.may('edit', 'proposals'))
        throw new SlipwayError('forbidden', 'Only who made it, or may edit proposals, can reject it.');
      await this.#drop(id, signal);
    });
  }

  /** Where a forge is configured. That it cannot be reached takes nothing back: the branch is the proposal. */
  async #request(
    { title, description, by, branch }: Proposal,
    signal: AbortSignal,
  ): Promise<Pick<Proposal, 'request' | 'requestError'>> {
    const { source, compiled } = this.#world;
    const { review } = compiled.draft;
    const { secrets } = this.#options;
    if (!review?.token || !secrets || source.remote === undefined) return {};
    try {
      const client = await openForge(review, await secrets(review.token), source.remote);
      const into = source.ref?.replace(/^refs\/heads\//, '') ?? (await headBranch(source.remote, signal));
      const text = [description, `Proposed by ${code(by ?? '')}.`].filter((part) => part !== '').join('\n\n');
      return { request: await client.open({ branch, into, title, text }) };
    } catch (error) {
      signal.throwIfAborted();
      return { requestError: toSlipwayError(error).message };
    }
  }

  async #find(id: string, signal: AbortSignal): Promise<Proposal> {
    const found = (await listed(this.#place(), signal)).find((one) => one.id === id);
    if (!found)
      throw new SlipwayError('not-found', `There is no proposal ${id}.`, { hint: 'See `slipway get proposals`.' });
    return found;
  }

  async #drop(id: string, signal: AbortSignal): Promise<void> {
    const { repository, remote } = this.#place();
    await git(['push', '--quiet', '--', remote, `:${refOf(id)}`], { cwd: repository.dir, signal });
  }

  #load(source: Source, revision: string, signal: AbortSignal): Promise<Loaded> {
    const { environment } = this.#world.source;
    const same = environment === undefined ? source : { ...source, environment };
    return load(same, revision, memoryParseCache(), signal);
  }

  #place(): { repository: Repository; remote: string } {
    const { repository, remote } = this.#world.source;
    if (!repository || remote === undefined) throw noGit();
    return { repository, remote };
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => {});
    return next;
  }
}

const refOf = (id: string): string => `refs/heads/${PROPOSALS}${id}`;

const noGit = (): SlipwayError =>
  new SlipwayError('usage', 'The config is followed as a folder: proposals need a git repository.');

function notValid(issues: readonly Issue[]): SlipwayError {
  const told = issues.slice(0, 5).map(({ file, line, path, message }) => `${file}:${line} ${path}: ${message}`);
  return new SlipwayError('invalid-config', `The config would not be valid: ${told.join(' ')}`);
}

async function edits(source: Source, before: Loaded, request: ProposalRequest, signal: AbortSignal) {
  const wanted = new Set([
    ...request.remove,
    ...request.resources.map(
      (value) => `${String(value['kind'])}/${String((value['metadata'] as { name?: unknown } | undefined)?.name)}`,
    ),
  ]);
  const touched = before.resources.filter((resource) => wanted.has(addressOf(resource)));
  const paths = new Set(touched.map((resource) => resource.source.file));
  const files = (await source.files(before.commit, signal)).filter(({ path }) => paths.has(path));
  const contents = await source.read(before.commit, files, signal);
  const texts = new Map(files.map(({ path }, at) => [path, contents[at]?.toString('utf8') ?? '']));
  const all = edited(request, touched, (file) => texts.get(file) ?? '');
  return new Map([...all].filter(([path, text]) => texts.get(path) !== text));
}

/** `add-github-1a2b3c`. */
function nameFor(title: string): string {
  const words = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40);
  return `${words === '' ? 'proposal' : words}-${randomBytes(3).toString('hex')}`;
}

/**
 * Forged trailers: who asks writes the description, and trailers let guards pass and say who said yes. So none may stand in it.
 * @throws SlipwayError invalid-value
 */
function messageOf({ title, description = '' }: ProposalRequest, id: string, key: string): string {
  if (/^\s*slipway-[\w-]+\s*:/im.test(description))
    throw new SlipwayError('invalid-value', 'A description cannot have lines that begin with Slipway-.');
  const body = description.trim();
  return `${title}\n\n${body === '' ? '' : `${body}\n\n`}Slipway-Proposal: ${id}\nSlipway-Proposed-By: ${key}\n`;
}

/** Of the merge. Trailers are its last paragraph, so whatever stands above is only text. */
function yesTo({ id, title, description, by }: Proposal, key: string): string {
  const trailers = [`Slipway-Proposal: ${id}`, ...(by === undefined ? [] : [`Slipway-Proposed-By: ${by}`])];
  const lines = [...trailers, `Slipway-Approved-By: ${key}`].join('\n');
  return `${[title, description, lines].filter((part) => part !== '').join('\n\n')}\n`;
}

/** Who asks is the author, Slipway the committer. */
function identityOf(key: string): Record<string, string> {
  const name = key.replaceAll(/[<>\p{Cc}]/gu, '');
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: 'slipway@localhost',
    GIT_COMMITTER_NAME: 'slipway',
    GIT_COMMITTER_EMAIL: 'slipway@localhost',
  };
}
