import { referencesOf } from '../../schemas/refs.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { Condition, Status } from '../../schemas/status.ts';
import { TARGET_OPTIONS, type Command } from '../command.ts';
import { age, table } from '../print/table.ts';
import { asDocument, formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'tell all about one resource: spec, conditions, instances, tools, references',
  usage: '<kind> <name>',
  options: TARGET_OPTIONS,
  examples: ['slipway describe server github'],

  async run({ args: [kind = '', name = ''], options, io }) {
    const target = await findTarget(options, io);
    const path = `/resources/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`;
    const [resource] = await target.json<Resource[]>('GET', path);
    if (!resource) return 1;
    const status = await target.json<Status>('GET', '/status');
    const all = await target.json<Resource[]>('GET', '/resources');
    io.out(
      sections(resource, all, status)
        .filter((section) => section !== '')
        .join('\n\n'),
    );
    return 0;
  },
};

function sections(resource: Resource, all: readonly Resource[], status: Status): string[] {
  const server = status.servers.find((entry) => entry.address === addressOf(resource));
  const { file, line } = resource.source;
  const commit = status.lastApplied;
  return [
    `${addressOf(resource)}  (${file}:${line}${commit ? `, commit ${commit.id.slice(0, 12)} by ${commit.author ?? 'unknown'}` : ''})`,
    `Spec\n${indent(formatValue(asDocument(resource)['spec'], 'yaml'))}`,
    server ? `Conditions\n${indent(conditions(server.conditions))}` : '',
    server && server.instances.length > 0 ? `Instances\n${indent(instances(server.instances))}` : '',
    server?.tools ? `Tools\n${indent(server.tools.join('\n') || 'none')}` : '',
    references(resource, all),
  ];
}

function conditions(list: readonly Condition[]): string {
  return table(
    ['type', 'status', 'since', 'reason', 'message'],
    list.map((entry) => [entry.type, entry.status, age(entry.lastTransitionTime), entry.reason, entry.message]),
  );
}

function instances(list: Status['servers'][number]['instances']): string {
  return table(
    ['name', 'state', 'pid', 'restarts', 'age', 'last error'],
    list.map((entry) => [
      entry.name,
      entry.state,
      String(entry.pid ?? '-'),
      String(entry.restarts),
      age(entry.startedAt),
      entry.lastError ?? '',
    ]),
  );
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

const indent = (block: string): string =>
  block
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
