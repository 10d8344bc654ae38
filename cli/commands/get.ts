import { SlipwayError } from '../../schemas/errors.ts';
import type { BudgetStatus } from '../../schemas/budgets.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import type { OrphanRow } from '../../schemas/operate.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Status } from '../../schemas/status.ts';
import { suggest } from '../../schemas/suggest.ts';
import { outputOption, SOURCE_OPTIONS, TARGET_OPTIONS, text, type Command, type Invocation } from '../command.ts';
import { localResources } from '../local.ts';
import { budgetTable } from '../print/budgets.ts';
import { resourceTable } from '../print/resources.ts';
import { age, table } from '../print/table.ts';
import { asDocument, documentsText, formatValue } from '../print/value.ts';
import { isPattern, kindFor, labelSelector, namedBy, nameMatcher } from '../select.ts';
import { findTarget, type Target } from '../target.ts';

/** What is no kind and can be listed all the same. */
const LISTS: readonly { readonly words: readonly string[]; readonly list: (asked: Asked) => Promise<Listing> }[] = [
  { words: ['instances', 'instance', 'inst'], list: instances },
  { words: ['orphans', 'orphan'], list: orphans },
  { words: ['serverattachments', 'serverattachment', 'sa'], list: attachments },
];

interface Asked {
  readonly invocation: Invocation;
  readonly names: readonly string[];
  readonly target: () => Promise<Target>;
  readonly resources: () => Promise<readonly Resource[]>;
}

/** Rows of anything, with the data behind them. */
interface Listing {
  readonly head: readonly string[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly string[]; readonly data: unknown }[];
}

export const command: Command = {
  summary: 'list resources and how they do',
  usage: '<kind> [names...]',
  words: { kind: ['all', ...LISTS.flatMap(({ words }) => words.slice(0, 1))] },
  options: [
    ...TARGET_OPTIONS,
    { flags: '-l, --selector <labels>', description: 'only those with these labels: a=b, a!=b, a, !a, a in (b, c)' },
    { flags: '--local', description: 'read the config itself, whether or not a Slipway runs' },
    ...SOURCE_OPTIONS,
    outputOption(['table', 'wide', 'json', 'yaml', 'name']),
  ],
  examples: [
    'slipway get servers',
    'slipway get srv github -o yaml',
    "slipway get servers 'git*' -l team=core -o wide",
    'slipway get servers,projects -o name',
    'slipway get all',
    'slipway get instances',
    'slipway get serverattachments',
    'slipway get orphans',
    'slipway get budgets',
    'slipway get projects --local --ref main',
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const isLocal = options['local'] === true;
    const target = once(() => (isLocal ? Promise.reject(notLocal(args)) : findTarget(options, io)));
    const resources = once(async () =>
      isLocal ? localResources(options, io) : (await target()).json<Resource[]>('GET', '/resources'),
    );
    const [word = '', ...names] = args;
    const virtual = LISTS.find(({ words }) => words.includes(word.toLowerCase()));
    if (virtual) return printListing(invocation, await virtual.list({ invocation, names, target, resources }));
    const groups = groupsBy(args);
    const all = await resources();
    const found = groups.flatMap((group) => chosen(all, group, text(options, 'selector')));
    const format = options['output'];
    const [{ kind, names: asked } = NOBODY, ...others] = groups;
    const isOne = kind !== undefined && others.length === 0 && asked.length === 1 && !isPattern(asked[0] ?? '');
    const documents = found.map(asDocument);
    if (format === 'json') io.out(formatValue(isOne ? documents[0] : documents, 'json'));
    else if (format === 'yaml') io.out(documentsText(documents));
    else if (format === 'name')
      found.forEach((resource) => io.out(`${resource.kind.toLowerCase()}/${resource.metadata.name}`));
    else if (isLocal) io.out(resourceTable(found, undefined, format === 'wide'));
    else {
      const own = others.length === 0 ? TABLES[kind?.kind ?? ''] : undefined;
      const status = async (): Promise<Status> => (await target()).json<Status>('GET', '/status');
      io.out(own ? await own(await target(), found) : resourceTable(found, await status(), format === 'wide'));
    }
    return 0;
  },
};

/** Kinds of which something else is told than how servers do. */
const TABLES: Readonly<Record<string, (target: Target, found: readonly Resource[]) => Promise<string>>> = {
  async Budget(target, found) {
    const shown = new Set(found.map(({ metadata }) => metadata.name));
    const statuses = await target.json<BudgetStatus[]>('GET', '/budgets');
    return budgetTable(statuses.filter(({ budget }) => shown.has(budget)));
  },
};

/** Names of one kind, or of all kinds. */
interface Group {
  readonly kind: Kind | undefined;
  readonly names: readonly string[];
}

const NOBODY: Group = { kind: undefined, names: [] };

/** `servers a b`, `servers,projects`, `server/a project/b`, `all`. */
function groupsBy(args: readonly string[]): Group[] {
  const [word = '', ...names] = args;
  if (word.includes('/')) return namedBy(args);
  const others = ['all', ...LISTS.map(({ words }) => words[0] ?? '')];
  return word.split(',').map((one) => ({ kind: one === 'all' ? undefined : kindFor(one, others), names }));
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Names may be patterns; a plain one that is not there is an error. */
function chosen(resources: readonly Resource[], { kind, names }: Group, selector: string | undefined): Resource[] {
  const all = resources.filter((resource) => kind === undefined || resource.kind === kind.kind);
  const isLabelled = selector === undefined ? () => true : labelSelector(selector);
  const matches = names.map(nameMatcher);
  const missing = names.find((name) => !isPattern(name) && !all.some(({ metadata }) => metadata.name === name));
  if (missing !== undefined) throw noSuch(kind, missing, all);
  return all.filter(
    ({ metadata }) =>
      (names.length === 0 || matches.some((match) => match(metadata.name))) && isLabelled(metadata.labels),
  );
}

function noSuch(kind: Kind | undefined, name: string, all: readonly Resource[]): SlipwayError {
  const nearest = suggest(
    name,
    all.map(({ metadata }) => metadata.name),
  );
  return new SlipwayError('not-found', `There is no ${kind?.kind ?? 'resource'} named ${name}.`, {
    hint: nearest ? `Did you mean ${nearest}?` : `See \`slipway get ${kind?.plural ?? 'all'}\`.`,
  });
}

const notLocal = ([word]: readonly string[]): SlipwayError =>
  new SlipwayError('usage', `${word} is nothing that the config says.`, { hint: 'Leave out --local.' });

function printListing({ options, io }: Invocation, { head, rows }: Listing): number {
  const format = options['output'];
  if (format === 'json' || format === 'yaml')
    io.out(
      formatValue(
        rows.map(({ data }) => data),
        format,
      ),
    );
  else if (format === 'name') rows.forEach(({ name }) => io.out(name));
  else
    io.out(
      table(
        head,
        rows.map(({ cells }) => cells),
      ),
    );
  return 0;
}

async function instances({ names, target }: Asked): Promise<Listing> {
  const { servers } = await (await target()).json<Status>('GET', '/status');
  const matches = names.map(nameMatcher);
  const found = servers
    .filter(({ name }) => names.length === 0 || matches.some((match) => match(name)))
    .flatMap((entry) => entry.instances.map((instance) => ({ server: entry.name, ...instance })));
  const rows = found.map((entry) => {
    const { name, server, state, pid, restarts, startedAt } = entry;
    return { name, data: entry, cells: [name, server, state, String(pid ?? '-'), String(restarts), age(startedAt)] };
  });
  return { head: ['name', 'server', 'state', 'pid', 'restarts', 'age'], rows };
}

/** What other Slipways left where this one runs its own. */
async function orphans({ target }: Asked): Promise<Listing> {
  const found = await (await target()).json<OrphanRow[]>('GET', '/orphans');
  const rows = found.map((orphan) => {
    const { id, kind, driver, server = '-', owner, dead, createdAt } = orphan;
    return { name: id, data: orphan, cells: [id, kind, driver, server, owner, dead ? 'yes' : 'no', age(createdAt)] };
  });
  return { head: ['id', 'kind', 'driver', 'server', 'owner', 'dead', 'age'], rows };
}

/** Which server is in which project: `slipway attach` and `detach` change it. */
async function attachments({ names, resources }: Asked): Promise<Listing> {
  const rows = (await resources()).flatMap(({ kind, metadata, spec }) => {
    const { servers } = spec as { servers?: readonly string[] };
    if (kindFor('project').kind !== kind || !servers || (names.length > 0 && !names.includes(metadata.name))) return [];
    return servers.map((server) => ({
      name: `${metadata.name}/${server}`,
      cells: [server, metadata.name],
      data: { server, project: metadata.name },
    }));
  });
  return { head: ['server', 'project'], rows };
}
