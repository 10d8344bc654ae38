import type { BudgetStatus } from '../../schemas/budgets.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Status } from '../../schemas/status.ts';
import {
  ENVIRONMENT_OPTION,
  SOURCE_OPTIONS,
  TARGET_OPTIONS,
  outputOption,
  text,
  type Command,
  type Invocation,
} from '../command.ts';
import { budgetTable } from '../print/budgets.ts';
import { resourceTable, rowForEach } from '../print/resources.ts';
import type { Table } from '../print/table.ts';
import { pipelineTable, pluginTable } from '../print/takers.ts';
import { asDocument } from '../print/value.ts';
import { chosen, groupsBy, isOne, ofProject } from '../read/choose.ts';
import { FORMATS, print, type Format, type Listing } from '../read/listing.ts';
import { listFor } from '../read/lists.ts';
import { LISTED } from '../select.ts';
import { findTarget, type Target } from '../target.ts';

export const command: Command = {
  summary: 'list resources and how they do',
  usage: '<kind> [names...]',
  words: { kind: ['all', ...Object.keys(LISTED)] },
  options: [
    ...TARGET_OPTIONS,
    { flags: '-l, --selector <labels>', description: 'only those with these labels: a=b, a!=b, a, !a, a in (b, c)' },
    { flags: '-p, --project <project>', description: 'only the project, and what it needs or is for it' },
    { flags: '-w, --watch', description: 'go on as rows change' },
    { flags: '--local', description: 'read the config itself, whether or not a Slipway runs' },
    ...SOURCE_OPTIONS,
    ENVIRONMENT_OPTION,
    outputOption(FORMATS),
  ],
  examples: [
    'slipway get servers',
    'slipway get srv github -o yaml',
    "slipway get servers 'git*' -l team=core -o wide",
    'slipway get servers,projects -o name',
    'slipway get all',
    'slipway get all -p dev -o yaml',
    'slipway get servers --watch',
    'slipway get instances',
    'slipway get serverattachments',
    'slipway get orphans',
    'slipway get budgets',
    'slipway get llmproviders',
    'slipway get projects --local --ref main',
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const format = options['output'] as Format;
    const isLocal = options['local'] === true;
    const target = once(() => (isLocal ? Promise.reject(notLocal(args)) : findTarget(options, io)));
    const look = lookerFor(invocation, target);
    if (options['watch'] !== true) await print(await look(), format, io);
    else {
      if (isLocal)
        throw new SlipwayError('usage', 'A config that is only read does not change.', { hint: 'Leave out --local.' });
      const { watch } = await import('../read/watch.ts');
      await watch(look, format, await target(), io);
    }
    return 0;
  },
};

/** What was asked for, as it is whenever it is called. @throws SlipwayError usage, unknown-kind */
function lookerFor({ args, options, io }: Invocation, target: () => Promise<Target>): () => Promise<Listing> {
  const isLocal = options['local'] === true;
  const [project, selector] = [text(options, 'project'), text(options, 'selector')];
  const isWide = options['output'] === 'wide';
  const resources = async (): Promise<readonly Resource[]> => {
    const all = isLocal
      ? await (await import('../local.ts')).localResources(options, io)
      : await (await target()).json<Resource[]>('GET', '/resources');
    return project === undefined ? all : ofProject(all, project);
  };
  const [word = '', ...names] = args;
  const other = listFor(word);
  if (other) return () => other({ names, selector, project, isWide, target, resources });
  const groups = groupsBy(args, Object.keys(LISTED));
  return async () => {
    const all = await resources();
    const found = groups.flatMap((group) => chosen(all, group, selector));
    return {
      names: found.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`),
      documents: found.map(asDocument),
      isOne: isOne(groups),
      table: () =>
        isLocal ? Promise.resolve(resourceTable(found, undefined, isWide)) : tableOf({ found, all, target, isWide }),
    };
  };
}

interface Shown {
  readonly found: readonly Resource[];
  readonly all: readonly Resource[];
  readonly target: () => Promise<Target>;
  readonly isWide: boolean;
}

async function tableOf({ found, all, target, isWide }: Shown): Promise<Table> {
  const kinds = new Set(found.map(({ kind }) => kind));
  const own = kinds.size === 1 ? ASKED_FOR[[...kinds][0] ?? ''] : undefined;
  if (own) return own(found, all, await target());
  return resourceTable(found, await (await target()).json<Status>('GET', '/status'), isWide);
}

/** Kinds of which the status does not tell how they do. */
type TableOf = (found: readonly Resource[], all: readonly Resource[], target: Target) => Promise<Table>;
const ASKED_FOR: Readonly<Record<string, TableOf>> = {
  Budget: async (found, _, target) =>
    rowForEach(found, budgetTable(await target.json<BudgetStatus[]>('GET', '/budgets'))),
  Pipeline: async (found, all) => pipelineTable(found, all),
  Plugin: async (found, all) => pluginTable(found, all),
};

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

const notLocal = ([word]: readonly string[]): SlipwayError =>
  new SlipwayError('usage', `${word} is nothing that the config says.`, { hint: 'Leave out --local.' });
