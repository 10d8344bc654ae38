import { SlipwayError } from '../../schemas/errors.ts';
import { findKind, KINDS } from '../../schemas/kinds/index.ts';
import type { OrphanRow } from '../../schemas/operate.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { Status } from '../../schemas/status.ts';
import { suggest } from '../../schemas/suggest.ts';
import { outputOption, TARGET_OPTIONS, type Command, type Invocation } from '../command.ts';
import { age, table } from '../print/table.ts';
import { asDocument, formatValue } from '../print/value.ts';
import { findTarget, type Target } from '../target.ts';
import { serverRow } from './status.ts';

export const command: Command = {
  summary: 'list resources and how they do',
  usage: '<kind> [name]',
  options: [...TARGET_OPTIONS, outputOption(['table', 'json', 'yaml', 'name'])],
  examples: [
    'slipway get servers',
    'slipway get srv github -o yaml',
    'slipway get all',
    'slipway get instances',
    'slipway get orphans',
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const [word = '', name] = args;
    const target = await findTarget(options, io);
    if (/^instances?$|^inst$/.test(word)) return instances(target, invocation, name);
    if (/^orphans?$/.test(word)) return orphans(target, invocation);
    const kind = word === 'all' ? undefined : findKind(word);
    if (word !== 'all' && !kind) throw unknownKind(word);
    const path = kind
      ? `/resources/${kind.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`
      : '/resources';
    const resources = await target.json<Resource[]>('GET', path);
    const documents = resources.map(asDocument);
    const format = options['output'];
    if (format === 'json' || format === 'yaml')
      io.out(formatValue(name === undefined ? documents : documents[0], format));
    else if (format === 'name')
      resources.forEach((resource) => io.out(`${resource.kind.toLowerCase()}/${resource.metadata.name}`));
    else io.out(resourceTable(resources, await target.json<Status>('GET', '/status')));
    return 0;
  },
};

async function instances(target: Target, { options, io }: Invocation, server: string | undefined): Promise<number> {
  const status = await target.json<Status>('GET', '/status');
  const found = status.servers
    .filter((entry) => server === undefined || entry.name === server)
    .flatMap((entry) => entry.instances.map((instance) => ({ server: entry.name, ...instance })));
  const format = options['output'];
  if (format === 'json' || format === 'yaml') io.out(formatValue(found, format));
  else if (format === 'name') found.forEach((instance) => io.out(instance.name));
  else
    io.out(
      table(
        ['name', 'server', 'state', 'pid', 'restarts', 'age'],
        found.map((entry) => [
          entry.name,
          entry.server,
          entry.state,
          String(entry.pid ?? '-'),
          String(entry.restarts),
          age(entry.startedAt),
        ]),
      ),
    );
  return 0;
}

/** What other Slipways left where this one runs its own. */
async function orphans(target: Target, { options, io }: Invocation): Promise<number> {
  const found = await target.json<OrphanRow[]>('GET', '/orphans');
  const format = options['output'];
  if (format === 'json' || format === 'yaml') io.out(formatValue(found, format));
  else if (format === 'name') found.forEach((orphan) => io.out(orphan.id));
  else
    io.out(
      table(
        ['id', 'kind', 'driver', 'server', 'owner', 'dead', 'age'],
        found.map(({ id, kind, driver, server = '-', owner, dead, createdAt }) => [
          id,
          kind,
          driver,
          server,
          owner,
          dead ? 'yes' : 'no',
          age(createdAt),
        ]),
      ),
    );
  return 0;
}

/** What runs is shown with how it does; what is only read, with where it stands. */
function resourceTable(resources: readonly Resource[], status: Status): string {
  const known = new Map(status.servers.map((server) => [server.address, server]));
  if (resources.length > 0 && resources.every((resource) => known.has(addressOf(resource)))) {
    const rows = resources.map((resource) => known.get(addressOf(resource))).filter((server) => server !== undefined);
    return table(['name', 'ready', 'state', 'tools', 'reason'], rows.map(serverRow));
  }
  return table(
    ['kind', 'name', 'ready', 'source'],
    resources.map((resource) => {
      const server = known.get(addressOf(resource));
      const { file, line } = resource.source;
      return [resource.kind, resource.metadata.name, server ? (serverRow(server)[1] ?? '') : '-', `${file}:${line}`];
    }),
  );
}

function unknownKind(word: string): SlipwayError {
  const kinds = Object.values(KINDS).flatMap((kind) => [kind.plural, ...kind.short]);
  const nearest = suggest(word, [...kinds, 'all', 'instances', 'orphans']);
  return new SlipwayError('unknown-kind', `There is no kind ${word}.`, {
    hint: nearest
      ? `Did you mean ${nearest}?`
      : `Kinds: ${Object.values(KINDS)
          .map((kind) => kind.plural)
          .join(', ')}, instances, orphans, all.`,
  });
}
