import type { BudgetStatus } from '../../schemas/budgets.ts';
import { referencesOf } from '../../schemas/refs.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import { conditionOf, type Status } from '../../schemas/status.ts';
import { TARGET_OPTIONS, type Command } from '../command.ts';
import { budgetTable } from '../print/budgets.ts';
import { serverSections } from '../print/server.ts';
import { indent } from '../print/table.ts';
import { tokenSection } from '../print/token.ts';
import { asDocument, formatValue } from '../print/value.ts';
import { findTarget, type Target } from '../target.ts';

const LAST_LINES = 10;

export const command: Command = {
  summary: 'tell all about one resource: spec, conditions, isolation, instances, log, tools, references',
  usage: '<kind> <name>',
  options: TARGET_OPTIONS,
  examples: ['slipway describe server github'],

  async run({ args: [kind = '', name = ''], options, io }) {
    const target = await findTarget(options, io);
    const path = `/resources/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
    const [resource] = await target.json<Resource[]>('GET', path);
    if (!resource) return 1;
    const status = await target.json<Status>('GET', '/status?stats=true');
    const log = await lastLines(target, resource, status);
    const all = await target.json<Resource[]>('GET', '/resources');
    const budgets = await target.json<BudgetStatus[]>('GET', '/budgets');
    io.out(
      [...sections(resource, all, status, log), usage(resource, budgets)]
        .filter((section) => section !== '')
        .join('\n\n'),
    );
    return 0;
  },
};

/** Of a server with something to explain; none where nothing was logged. */
async function lastLines(target: Target, resource: Resource, { servers }: Status): Promise<string[]> {
  const server = servers.find((entry) => entry.address === addressOf(resource));
  const wellKnown = server && conditionOf(server, 'Ready')?.status === 'True';
  if (!server || (wellKnown && server.instances.every(({ lastError }) => lastError === undefined))) return [];
  const path = `/logs/${resource.kind}/${encodeURIComponent(resource.metadata.name)}?tail=${LAST_LINES}`;
  return Array.fromAsync(target.lines(path)).catch(() => []);
}

function sections(resource: Resource, all: readonly Resource[], status: Status, log: readonly string[]): string[] {
  const server = status.servers.find((entry) => entry.address === addressOf(resource));
  const token = status.tokens.find((entry) => entry.address === addressOf(resource));
  const { file, line } = resource.source;
  const commit = status.lastApplied;
  return [
    `${addressOf(resource)}  (${file}:${line}${commit ? `, commit ${commit.id.slice(0, 12)} by ${commit.author ?? 'unknown'}` : ''})`,
    `Spec\n${indent(formatValue(asDocument(resource)['spec'], 'yaml'))}`,
    ...(token ? [`Use\n${indent(tokenSection(token))}`] : []),
    ...(server ? serverSections(server, (resource.spec as { isolation?: unknown }).isolation, log) : []),
    references(resource, all),
  ];
}

/** Of a budget: what is used of it. */
function usage(resource: Resource, budgets: readonly BudgetStatus[]): string {
  const own = budgets.filter(({ budget }) => addressOf(resource) === `Budget/${budget}`);
  return own.length === 0 ? '' : `Usage\n${indent(budgetTable(own))}`;
}

function references(resource: Resource, all: readonly Resource[]): string {
  const address = addressOf(resource);
  const targets = (from: Resource): string[] =>
    referencesOf(from).map((reference) => `${reference.kind}/${reference.name}`);
  const to = [...new Set(targets(resource))];
  const from = all.filter((other) => targets(other).includes(address)).map(addressOf);
  const lines = [...to.map((target) => `refers to ${target}`), ...from.map((source) => `referred to by ${source}`)];
  return lines.length === 0 ? '' : `References\n${indent(lines.join('\n'))}`;
}
