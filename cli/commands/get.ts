import { SlipwayError } from '../../schemas/errors.ts';
import type { BudgetStatus } from '../../schemas/budgets.ts';
import type { OrphanRow } from '../../schemas/operate.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Status } from '../../schemas/status.ts';
import { outputOption, SOURCE_OPTIONS, TARGET_OPTIONS, text, type Command, type Invocation } from '../command.ts';
import { localResources } from '../local.ts';
import { budgetTable } from '../print/budgets.ts';
import { resourceTable } from '../print/resources.ts';
import { age, table } from '../print/table.ts';
import { asDocument, documentsText, formatValue } from '../print/value.ts';
import { isPattern, kindFor, labelSelector, nameMatcher } from '../select.ts';
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
    'slipway get all',
    'slipway get instances',
    'slipway get serverattachments',
    'slipway get orphans',
    'slipway get budgets',
    'slipway get projects --local --ref main',
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const [word = '', ...names] = split(args);
    const isLocal = options['local'] === true;
    const target = once(() => (isLocal ? Promise.reject(notLocal(word)) : findTarget(options, io)));
    const resources = once(async () =>
      isLocal ? localResources(options, io) : (await target()).json<Resource[]>('GET', '/resources'),
    );
    const virtual = LISTS.find(({ words }) => words.includes(word.toLowerCase()));
    if (virtual) return printListing(invocation, await virtual.list({ invocation, names, target, resources }));
    const kind = word === 'all' ? undefined : kindFor(word, ['all', ...LISTS.map(({ words }) => words[0] ?? '')]);
    const all = (await resources()).filter((resource) => kind === undefined || resource.kind === kind.kind);
    const found = chosen(all, names, text(options, 'selector'), kind?.kind ?? 'resource');
    const format = options['output'];
    const isOne = names.length === 1 && !isPattern(names[0] ?? '') && kind !== undefined;
    const documents = found.map(asDocument);
    if (format === 'json') io.out(formatValue(isOne ? documents[0] : documents, 'json'));
    else if (format === 'yaml') io.out(documentsText(documents));
    else if (format === 'name')
      found.forEach((resource) => io.out(`${resource.kind.toLowerCase()}/${resource.metadata.name}`));
    else if (kind?.plural === 'budgets' && !isLocal) {
      const shown = new Set(found.map(({ metadata }) => metadata.name));
      const statuses = await (await target()).json<BudgetStatus[]>('GET', '/budgets');
      io.out(budgetTable(statuses.filter(({ budget }) => shown.has(budget))));
    } else
      io.out(
        resourceTable(
          found,
          isLocal ? undefined : await (await target()).json<Status>('GET', '/status'),
          format === 'wide',
        ),
      );
    return 0;
  },
};

/** `server/github` is `server github`. */
const split = (args: readonly string[]): readonly string[] => {
  const [first = '', ...rest] = args;
  return first.includes('/') ? [...first.split('/', 2), ...rest.map((word) => word.split('/').at(-1) ?? '')] : args;
};

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Names may be patterns; a plain one that is not there is an error. */
function chosen(
  all: readonly Resource[],
  names: readonly string[],
  selector: string | undefined,
  what: string,
): readonly Resource[] {
  const isLabelled = selector === undefined ? () => true : labelSelector(selector);
  const matches = names.map(nameMatcher);
  const missing = names.find((name) => !isPattern(name) && !all.some(({ metadata }) => metadata.name === name));
  if (missing !== undefined)
    throw new SlipwayError('not-found', `There is no ${what} named ${missing}.`, {
      hint: `See what there is with \`slipway get\`.`,
    });
  return all.filter(
    ({ metadata }) =>
      (names.length === 0 || matches.some((match) => match(metadata.name))) && isLabelled(metadata.labels),
  );
}

const notLocal = (word: string): SlipwayError =>
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
