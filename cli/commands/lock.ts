/** `slipway lock`: writes down what servers are, so that whatever becomes of them is a change that somebody has to accept. */
import { load, memoryParseCache, toolsPlan, type Source } from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import { findingsIn, type Finding } from '../../schemas/lock/findings.ts';
import { LOCK_FILE, lockedIn, type Lock, type LockedTool } from '../../schemas/lock/lock.ts';
import { unreadIn } from '../../schemas/lock/shown.ts';
import { lookAlikes } from '../../schemas/lock/look-alikes.ts';
import type { Offered } from '../../schemas/lock/offer.ts';
import { findingSaid, saidOf } from '../../schemas/lock/plan-words.ts';
import type { ToolsPlan } from '../../schemas/plan.ts';
import type { Resource } from '../../schemas/resource.ts';
import { outputOption, TARGET_OPTIONS, WRITE_OPTIONS, type Command, type Invocation } from '../command.ts';
import { same } from '../document/json.ts';
import type { Io } from '../io.ts';
import { toolLines } from '../print/tools.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';
import { withSource } from '../with-source.ts';
import { Invalid, made, printDiff, printingIssues } from '../write/change.ts';
import type { Outcome } from '../write/changes.ts';
import { locked, lockText, type Locked } from '../write/locking.ts';

export const command: Command = {
  summary: `write what servers list now to ${LOCK_FILE}, so that every change of a tool has to be accepted`,
  usage: '[servers...]',
  options: [
    ...TARGET_OPTIONS,
    { flags: '--check', description: 'write nothing: exit 2 where what runs is not what the file says' },
    ...WRITE_OPTIONS.filter(({ flags }) => !flags.startsWith('-o')),
    outputOption(['text', 'name', 'json', 'yaml']),
  ],
  examples: [
    'slipway lock',
    'slipway lock github --diff --dry-run',
    'slipway lock github -m "Accept the new tools of github"',
    'slipway lock --check',
  ],

  async run(invocation) {
    const { args: names, options, io } = invocation;
    const target = await findTarget(options, io, 'own');
    const offers = await target.json<Offered[]>('GET', '/tools');
    const ask: Ask = { names, offers };
    if (options['check'] === true) return check(invocation, ask);
    return write(invocation, ask);
  },
};

interface Ask {
  readonly names: readonly string[];
  readonly offers: readonly Offered[];
}

/** What there is to tell of a comparison. */
interface Compared extends Pick<Locked, 'unknown' | 'unwritten' | 'untold' | 'gone'> {
  readonly plan: ToolsPlan | undefined;
  /** Tools that are as accepted, of which the file says another number of tokens. */
  readonly untrue: readonly string[];
  readonly findings: readonly Finding[];
}

async function write(invocation: Invocation, ask: Ask): Promise<number> {
  const { options, io } = invocation;
  let told: Compared | undefined;
  const done = await printingIssues(io, () =>
    made(invocation, async (draft) => {
      const broken = draft.base.issues.filter(({ file }) => file === LOCK_FILE);
      // What was accepted must not be lost because nobody can read it.
      if (broken.length > 0) throw new Invalid(broken);
      const before = draft.base.lock;
      const now = await lockedNow(ask, before, draft.base.resources);
      told = comparedWith(before, now, ask);
      if (!same(toPlain(before && { ...before, lines: undefined }), toPlain(now.lock)))
        await draft.write(LOCK_FILE, lockText(now.lock));
      return outcomesOf(before, now, ask);
    }),
  );
  if (options['diff'] === true) printDiff(done.draft, io);
  if (told) print(invocation, told, done.outcomes);
  if (done.told) io.err(done.told);
  if (done.url !== undefined) io.err(done.url);
  return 0;
}

async function check(invocation: Invocation, ask: Ask): Promise<number> {
  const { options, io } = invocation;
  const { lock, issues, resources } = await withSource(options, io, async (source: Source) => {
    const { id } = await source.fetch(io.signal);
    return load(source, id, memoryParseCache(), io.signal);
  });
  const broken = issues.filter(({ file }) => file === LOCK_FILE);
  if (broken.length > 0) await printingIssues(io, () => Promise.reject(new Invalid(broken)));
  const now = await lockedNow(ask, lock, resources);
  const told = comparedWith(lock, now, ask);
  print(invocation, told, []);
  const { gone, unknown, unwritten, untold, untrue } = told;
  const isSame = !told.plan && [gone, unknown, unwritten, untold, untrue].every(({ length }) => length === 0);
  if (lock && unreadOf(lock))
    io.err(`${LOCK_FILE} has tools without what their schemas say: \`slipway lock\` writes it.`);
  if (isSame && options['output'] === 'text') io.err(`What runs is what ${LOCK_FILE} says.`);
  return isSame ? 0 : 2;
}

/** @throws SlipwayError not-found for a name that neither the config nor what runs has */
async function lockedNow(ask: Ask, before: Lock | undefined, resources: readonly Resource[]): Promise<Locked> {
  const { names, offers } = ask;
  const ours = new Set(resources.filter(({ kind }) => kind === KINDS.Server.kind).map(({ metadata }) => metadata.name));
  const isThere = (server: string): boolean => ours.has(server) || offers.some((offer) => offer.server === server);
  const strange = names.find((name) => !isThere(name) && !Object.hasOwn(before?.servers ?? {}, name));
  if (strange !== undefined) throw new SlipwayError('not-found', `There is no Server named ${strange}.`);
  const now = await locked({ before, offers, names, isThere });
  const yet = names.filter((name) => ours.has(name) && !offers.some(({ server }) => server === name));
  const known = new Set(now.unknown.map(({ server }) => server));
  const more = yet.filter((server) => !known.has(server)).map((server) => ({ server, why: 'it is not in force' }));
  return { ...now, unknown: [...now.unknown, ...more] };
}

function comparedWith(before: Lock | undefined, { lock, ...told }: Locked, { names, offers }: Ask): Compared {
  const isMeant = (server: string): boolean => names.length === 0 || names.includes(server);
  const plan = toolsPlan({ lock: before, routes: {} }, { lock, routes: {} });
  const listed = offers.map(({ server, tools = [] }) => ({ server, tools: tools.map(({ name }) => name) }));
  const found = [...offers.flatMap(({ server, tools = [] }) => findingsIn(server, tools)), ...lookAlikes(listed)];
  const untrue = untrueIn(before, lock, plan);
  return { ...told, plan, untrue, findings: found.filter(({ server }) => isMeant(server)) };
}

/** Tokens are told in plans, and no hash of the file is of them. */
function untrueIn(before: Lock | undefined, lock: Lock, plan: ToolsPlan | undefined): string[] {
  const changed = new Set(plan?.changes.map(({ server, tool }) => `${server}:${tool}`));
  return Object.entries(lock.servers).flatMap(([server, { tools }]) => {
    const was = new Map(lockedIn(before, server)?.tools.map((tool) => [tool.name, tool]));
    const isUntrue = ({ name, tokens }: LockedTool): boolean =>
      !changed.has(`${server}:${name}`) && was.get(name)?.tokens !== tokens;
    return tools.filter(isUntrue).map(({ name }) => `${server}:${name}`);
  });
}

/** Of an older format: what its hashes say is so, but nobody can read it. */
const unreadOf = ({ servers }: Lock): boolean =>
  Object.values(servers).some(({ tools }) => tools.some((tool) => unreadIn(tool).length > 0));

function outcomesOf(before: Lock | undefined, { lock, gone }: Locked, { names }: Ask): Outcome[] {
  const outcome = (name: string, verb: string): Outcome => ({ kind: KINDS.Server.kind, name, file: LOCK_FILE, verb });
  const meant = Object.keys(lock.servers).filter((name) => names.length === 0 || names.includes(name));
  return [
    ...meant.map((name) => {
      const isSame = same(toPlain(before?.servers[name]), toPlain(lock.servers[name]));
      return outcome(name, isSame ? 'unchanged' : 'locked');
    }),
    ...gone.map((name) => outcome(name, 'unlocked')),
  ];
}

/** As it stands in a file. */
const toPlain = (value: unknown) => (value === undefined ? null : JSON.parse(JSON.stringify(value)));

/** What somebody should look at goes to stderr: it is told, and keeps nobody from accepting. */
function print({ options, io }: Invocation, told: Compared, outcomes: readonly Outcome[]): void {
  const { plan, findings, unknown, unwritten, untold, gone, untrue } = told;
  const format = options['output'];
  if (format === 'json' || format === 'yaml') {
    const { changes = [], artifacts = [] } = plan ?? {};
    io.out(formatValue({ changes, artifacts, findings, unknown, unwritten, untold, gone, untrue }, format));
  } else if (format === 'name') outcomes.forEach(({ name }) => io.out(`server/${name}`));
  else printText(plan, outcomes, options['dryRun'] === true, io);
  toolLines(findings.map(findingSaid), io.paint).forEach((line) => io.err(line));
  for (const { server, why } of unknown) io.err(`${server}: its tools are not known: ${why}; what was accepted stays.`);
  for (const { server, tool, why } of unwritten)
    io.err(`${server}:${tool}: it is not accepted, because no file can say what it is: ${why}.`);
  for (const server of untold)
    io.err(
      `${server}: what exactly runs for it cannot be told now (its engine does not answer, or does not have its image); what was accepted stays.`,
    );
  for (const tool of untrue) io.err(`${tool}: what ${LOCK_FILE} says of its tokens is not so.`);
  for (const server of gone) io.err(`${server}: the config has no such server any more.`);
}

function printText(plan: ToolsPlan | undefined, outcomes: readonly Outcome[], isDry: boolean, io: Io): void {
  if (plan) toolLines(saidOf({ tools: { ...plan, findings: [] } }), io.paint).forEach((line) => io.out(line));
  for (const { name, verb, file } of outcomes)
    io.out(`server/${name} ${verb}${isDry ? ' (dry run)' : ''}  ${io.paint('dim', file)}`);
}
