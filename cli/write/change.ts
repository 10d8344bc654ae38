/** The way of every command that writes: open the config, change a draft of it, check the whole, and only then write. */
import { join } from 'node:path';
import { defaultStateDir, type ForgeClient } from '../../reconciler/index.ts';
import { SlipwayError, toSlipwayError } from '../../schemas/errors.ts';
import type { Issue } from '../../schemas/resource.ts';
import { redactor } from '../../schemas/sensitive.ts';
import { text, type Invocation, type Options } from '../command.ts';
import type { Io } from '../io.ts';
import { addressIn, documentsOf } from '../document/documents.ts';
import { same } from '../document/json.ts';
import { masked, sensitiveIn } from '../document/meaning.ts';
import { printIssues } from '../print/issues.ts';
import { unified } from '../print/unified.ts';
import { documentsText, formatValue } from '../print/value.ts';
import { placeOf } from '../place.ts';
import type { Outcome } from './changes.ts';
import { Draft } from './draft.ts';
import { openFolder } from './folder.ts';
import { forgeOf, newBranch, pushUrlOf, requestText } from './pull-request.ts';
import { openRemote } from './remote.ts';
import type { ConfigRepo } from './repo.ts';

/** How often a change is made anew because somebody else was faster. */
const MAX_TRIES = 8;

/** The config would have issues. */
export class Invalid extends SlipwayError {
  readonly issues: readonly Issue[];

  constructor(issues: readonly Issue[]) {
    super('invalid-config', 'The config would not be valid; nothing was changed.', {
      hint: 'Fix what is named above, or change everything it takes in one go with `slipway apply`.',
    });
    this.issues = issues;
  }
}

export type Edit = (draft: Draft, repo: ConfigRepo) => Promise<readonly Outcome[]>;

/**
 * @param edit changes the draft; called again where the config has changed meanwhile
 * @param message of a commit that is made in a working tree, too, whether or not one was asked for
 * @returns the exit code
 */
export async function change(invocation: Invocation, edit: Edit, message?: () => string): Promise<number> {
  const done = await printingIssues(invocation.io, () => made(invocation, edit, message));
  print(invocation, done);
  return 0;
}

/** What is wrong with the config is told in full before the error is. */
export async function printingIssues<T>(io: Io, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    printIssues(error.issues, io);
    throw new SlipwayError(error.code, error.message, { hint: error.hint });
  }
}

export interface Made {
  readonly outcomes: readonly Outcome[];
  readonly draft: Draft;
  /** What the repo tells of it; empty where there is nothing to tell. */
  readonly told: string;
  /** Of the pull request that was opened. */
  readonly url?: string;
}

/** @throws Invalid where the config would have issues, SlipwayError */
export async function made({ options, io }: Invocation, edit: Edit, message?: () => string): Promise<Made> {
  for (let tries = 1; ; tries++) {
    await using repo = await open(options, io, message !== undefined);
    const draft = await Draft.open(repo.source, io.signal);
    const outcomes = await edit(draft, repo);
    if (draft.changes().after.size === 0) return { outcomes, draft, told: '' };
    const checked = await draft.check();
    if (checked.issues.length > 0) throw new Invalid(checked.issues);
    if (options['dryRun'] === true) return { outcomes, draft, told: '' };
    const said = messageOf(options, outcomes, message);
    // Asked for first: a branch that nobody can be told of is not pushed.
    const forge = repo.request && (await forgeOf(draft, { ...repo.request, stateDir: stateDirFor(options, io) }, io));
    try {
      const told = await repo.write(draft, said);
      if (!forge || !repo.request) return { outcomes, draft, told };
      const request = { ...repo.request, ...(await requestText(draft.base, checked, said)) };
      return { outcomes, draft, told, url: await opened(forge, request) };
    } catch (error) {
      const again = error instanceof SlipwayError && error.code === 'conflict' && tries < MAX_TRIES;
      if (!again) throw error;
      io.log('debug', error.message);
    }
  }
}

async function opened(forge: ForgeClient, request: Parameters<ForgeClient['open']>[0]): Promise<string> {
  try {
    return await forge.open(request);
  } catch (error) {
    const { code, message } = toSlipwayError(error);
    throw new SlipwayError(
      code,
      `The branch ${request.branch} was pushed, but no pull request was opened: ${message}`,
      {
        hint: 'Open it where the repo lives, or delete the branch and try again.',
      },
    );
  }
}

const stateDirFor = (options: Options, io: Io): string =>
  defaultStateDir(placeOf(text(options, 'repo') ?? '.', io.cwd).repo, io.env);

/** For commands that look before they change. Nothing is held: what is read may be old a moment later. */
export async function look<T>({ options, io }: Invocation, use: (draft: Draft) => Promise<T>): Promise<T> {
  await using repo = await open(options, io);
  // Awaited: what it reads from goes when this function ends.
  return await use(await Draft.open(repo.source, io.signal));
}

/** A folder on this disk is edited; a URL, a bare repository, or any with --ref, --branch or --pr gets a commit. */
async function open(options: Options, io: Io, isCommitted = false): Promise<ConfigRepo> {
  const place = placeOf(text(options, 'repo') ?? '.', io.cwd);
  const isRequested = options['pr'] === true;
  const named = text(options, 'branch');
  const [ref, branch, path] = [
    text(options, 'ref'),
    isRequested ? (named ?? newBranch()) : named,
    text(options, 'path'),
  ];
  const isFolder = place.isWorkingTree && ref === undefined && branch === undefined;
  if (!isFolder && place.kind === 'folder')
    throw new SlipwayError('usage', `${place.repo} is no git repository, so it has no branches.`);
  if (!isFolder)
    return openRemote({
      url: isRequested ? await pushUrlOf(place, io.signal) : place.repo,
      isRequested,
      ref: ref?.replace(/^refs\/heads\//, ''),
      branch,
      path,
      env: io.env,
      log: io.log,
      signal: io.signal,
    });
  const isAsked = text(options, 'message') !== undefined;
  if (isAsked && place.kind === 'folder')
    throw new SlipwayError(
      'usage',
      `${place.repo} is no git repository, so nothing is committed there; leave out --message.`,
    );
  return openFolder({
    root: join(place.repo, path ?? ''),
    lock: `${defaultStateDir(place.repo, io.env)}.write.lock`,
    commit: isAsked || isCommitted,
    ...(place.kind === 'git' ? { history: { repository: place.repo, tip: 'HEAD', path: path ?? '' } } : {}),
    signal: io.signal,
  });
}

/** `patched server/github`, or how many where there are many. */
function messageOf(options: Options, outcomes: readonly Outcome[], usual?: () => string): string {
  const given = text(options, 'message') || usual?.();
  if (given) return given;
  const changed = outcomes.filter(({ verb }) => verb !== 'unchanged');
  const names = changed.map((outcome) => `${outcome.verb} ${nameOf(outcome)}`);
  return names.length <= 3 ? names.join(', ') : `${names.length} resources\n\n${names.join('\n')}`;
}

const nameOf = ({ kind, name }: Outcome): string => `${kind.toLowerCase()}/${name}`;

function print({ options, io }: Invocation, { outcomes, draft, told, url }: Made): void {
  if (options['diff'] === true) printDiff(draft, io);
  const [format, dry] = [options['output'], options['dryRun'] === true ? ' (dry run)' : ''];
  if (format === 'yaml' || format === 'json') printDocuments(format, draft, outcomes, io);
  else if (format === 'name') outcomes.forEach((outcome) => io.out(nameOf(outcome)));
  else
    outcomes.forEach((outcome) => io.out(`${nameOf(outcome)} ${outcome.verb}${dry}  ${io.paint('dim', outcome.file)}`));
  if (told) io.err(told);
  // Data, but where documents are.
  if (url !== undefined) (format === 'yaml' || format === 'json' ? io.err : io.out)(url);
}

/** As they would be or are now; what was taken out is not among them. What was there before is masked as ever. */
function printDocuments(format: 'yaml' | 'json', draft: Draft, outcomes: readonly Outcome[], io: Io): void {
  const { before, after } = draft.changes();
  const documents = outcomes.flatMap(({ kind, name, file, verb }) => {
    const content = after.has(file) ? after.get(file) : before.get(file);
    const found = documentsOf(content ?? '').find(({ value }) => same(addressIn(value), { kind, name }));
    return found?.value === undefined ? [] : [verb === 'created' ? found.value : masked(found.value)];
  });
  io.out(format === 'json' ? formatValue(documents, 'json') : documentsText(documents));
}

export function printDiff(draft: Draft, io: Io): void {
  diffLines(draft).forEach((line) => io.out(painted(line, io)));
}

/** Values that plans mask are masked here, too. */
function diffLines(draft: Draft): string[] {
  const { before, after } = draft.changes();
  const texts = [...before.values(), ...after.values()].filter((content) => content !== null);
  const redact = redactor(texts.flatMap((content) => documentsOf(content).flatMap(({ value }) => sensitiveIn(value))));
  return [...after].flatMap(([path, content]) => unified(path, before.get(path) ?? null, content).map(redact));
}

function painted(line: string, io: Io): string {
  if (/^(\+\+\+|---) /.test(line)) return io.paint('bold', line);
  if (line.startsWith('@@')) return io.paint('cyan', line);
  return line.startsWith('+') ? io.paint('green', line) : line.startsWith('-') ? io.paint('red', line) : line;
}
