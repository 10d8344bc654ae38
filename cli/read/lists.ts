/** What is no kind and can be listed all the same. */
import type { OrphanRow } from '../../schemas/operate.ts';
import type { Proposal } from '../../schemas/proposals.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { serversOf } from '../../schemas/kinds/fields/server-selector.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { Status } from '../../schemas/status.ts';
import { age, type Table } from '../print/table.ts';
import { kindFor, labelSelector, listedAs, type LISTED } from '../select.ts';
import type { Target } from '../target.ts';
import { namedAmong } from './choose.ts';
import type { Listing } from './listing.ts';

export interface Asked {
  readonly names: readonly string[];
  readonly selector: string | undefined;
  /** Of which `resources` are. */
  readonly project: string | undefined;
  readonly isWide: boolean;
  readonly target: () => Promise<Target>;
  readonly resources: () => Promise<readonly Resource[]>;
}

type List = (asked: Asked) => Promise<Listing>;

const LISTS: Readonly<Record<keyof typeof LISTED, List>> = {
  instances,
  orphans,
  proposals,
  serverattachments: attachments,
};

export function listFor(word: string): List | undefined {
  const plural = listedAs(word);
  return plural && LISTS[plural];
}

interface Row {
  readonly name: string;
  readonly cells: readonly string[];
  readonly data: unknown;
}

const listing = (head: readonly string[], rows: readonly Row[]): Listing => ({
  names: rows.map(({ name }) => name),
  documents: rows.map(({ data }) => data),
  table: async (): Promise<Table> => ({ head, rows: rows.map(({ cells }) => cells) }),
});

/** By their own names, or by that of their server; labels are the server's. */
async function instances({ names, selector, project, isWide, target, resources }: Asked): Promise<Listing> {
  const { servers } = await (await target()).json<Status>('GET', '/status');
  const all = servers.flatMap(({ name, address, instances: list }) =>
    list.map((instance) => ({ address, data: { server: name, ...instance } })),
  );
  const known = all.flatMap(({ data }) => [data.name, data.server]);
  const isNamed = namedAmong(names, known, { kind: 'instance', plural: 'instances' });
  const isAny = selector === undefined && project === undefined;
  const isWithin = isAny ? () => true : addressesOf(await resources(), selector);
  const wanted = all.filter(({ address, data }) => (isNamed(data.name) || isNamed(data.server)) && isWithin(address));
  const rows = wanted.map(({ data }) => {
    const { name, server, state, pid, restarts, startedAt, runs = '-', hash, lastError = '-' } = data;
    const more = isWide ? [runs, hash.slice(0, 8), lastError] : [];
    return { name, data, cells: [name, server, state, String(pid ?? '-'), String(restarts), age(startedAt), ...more] };
  });
  const head = ['name', 'server', 'state', 'pid', 'restarts', 'age', ...(isWide ? ['runs', 'rev', 'last error'] : [])];
  return listing(head, rows);
}

function addressesOf(resources: readonly Resource[], selector: string | undefined): (address: string) => boolean {
  const isLabelled = selector === undefined ? () => true : labelSelector(selector);
  const found = new Set(resources.filter(({ metadata }) => isLabelled(metadata.labels)).map(addressOf));
  return (address) => found.has(address);
}

/** What other Slipways left where this one runs its own. */
async function orphans({ names, selector, project, target }: Asked): Promise<Listing> {
  if (selector !== undefined || project !== undefined)
    throw new SlipwayError('usage', 'Orphans have no labels and no project.', { hint: 'Leave out -l and -p.' });
  const found = await (await target()).json<OrphanRow[]>('GET', '/orphans');
  const isNamed = namedAmong(
    names,
    found.map(({ id }) => id),
    { kind: 'orphan', plural: 'orphans' },
  );
  const rows = found
    .filter(({ id }) => isNamed(id))
    .map((orphan) => {
      const { id, kind, driver, server = '-', owner, dead, createdAt } = orphan;
      return { name: id, data: orphan, cells: [id, kind, driver, server, owner, dead ? 'yes' : 'no', age(createdAt)] };
    });
  return listing(['id', 'kind', 'driver', 'server', 'owner', 'dead', 'age'], rows);
}

/** What somebody asks for who may not push. */
async function proposals({ names, selector, project, isWide, target }: Asked): Promise<Listing> {
  if (selector !== undefined || project !== undefined)
    throw new SlipwayError('usage', 'Proposals have no labels and no project.', { hint: 'Leave out -l and -p.' });
  const found = await (await target()).json<Proposal[]>('GET', '/proposals');
  const known = found.map(({ id }) => id);
  const isNamed = namedAmong(names, known, { kind: 'proposal', plural: 'proposals' });
  const rows = found
    .filter(({ id }) => isNamed(id))
    .map((proposal) => {
      const { id, title, by = '-', at, changes, files, branch, commit } = proposal;
      const what = [...changes, ...files].join(', ') || '-';
      const more = isWide ? [branch, commit.slice(0, 12)] : [];
      return { name: id, data: proposal, cells: [id, by, title, what, age(at), ...more] };
    });
  return listing(['name', 'by', 'title', 'changes', 'age', ...(isWide ? ['branch', 'commit'] : [])], rows);
}

/** Which server is in which project: `slipway attach` and `detach` change it. Names and labels are the project's. */
async function attachments({ names, selector, resources }: Asked): Promise<Listing> {
  const isLabelled = selector === undefined ? () => true : labelSelector(selector);
  const there = await resources();
  const all = there.filter(({ kind }) => kind === kindFor('server').kind);
  const rows = there.flatMap(({ kind, metadata, spec }) => {
    const { servers } = spec as { servers?: readonly string[] };
    const isWanted = (names.length === 0 || names.includes(metadata.name)) && isLabelled(metadata.labels);
    if (kindFor('project').kind !== kind || !servers || !isWanted) return [];
    return serversOf(spec as Parameters<typeof serversOf>[0], all).map((server) => ({
      name: `${metadata.name}/${server}`,
      cells: [server, metadata.name],
      data: { server, project: metadata.name },
    }));
  });
  return listing(['server', 'project'], rows);
}
