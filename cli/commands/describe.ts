import { addressOf, type Resource } from '../../schemas/resource.ts';
import { TARGET_OPTIONS, outputOption, text, type Command } from '../command.ts';
import { budgetTable } from '../print/budgets.ts';
import { commitText, eventTable } from '../print/events.ts';
import { llmSection, llmTable } from '../print/llms.ts';
import { plainLines } from '../print/plain.ts';
import { serverSections } from '../print/server.ts';
import { indent, table, type Table } from '../print/table.ts';
import { promptSection } from '../print/prompts.ts';
import { workspaceSection } from '../print/workspaces.ts';
import { tokenSection } from '../print/token.ts';
import { asDocument, formatValue } from '../print/value.ts';
import { originLines } from '../print/origins.ts';
import { chosen, groupsBy, isOne } from '../read/choose.ts';
import { common, factsOf, type Facts } from '../read/facts.ts';
import { findTarget } from '../target.ts';

/** What is older is in `slipway events`. */
const MAX_EVENTS = 10;

export const command: Command = {
  summary: 'tell all about a resource: spec, last change, conditions, instances, tools, references, events',
  usage: '<kind> [names...]',
  options: [
    ...TARGET_OPTIONS,
    { flags: '-l, --selector <labels>', description: 'only those with these labels' },
    outputOption(['text', 'json', 'yaml']),
  ],
  examples: [
    'slipway describe server github',
    'slipway describe server/github project/dev',
    'slipway describe srv -l team=core',
    'slipway describe server github -o json',
  ],

  async run({ args, options, io }) {
    const groups = groupsBy(args);
    const target = await findTarget(options, io);
    const resources = await target.json<Resource[]>('GET', '/resources');
    const wanted = groups.flatMap((group) => chosen(resources, group, text(options, 'selector')));
    if (wanted.length === 0) {
      io.err('There is none.');
      return 0;
    }
    const known = await common(target, resources);
    const facts: Facts[] = [];
    for (const resource of wanted) facts.push(await factsOf(target, resource, known));
    const format = options['output'];
    if (format === 'json' || format === 'yaml') {
      const whole = facts.map(asValue);
      io.out(formatValue(isOne(groups) ? whole[0] : whole, format));
    } else io.out(plainLines(facts.map(asText).join('\n\n\n')));
    return 0;
  },
};

/** The resource as it is written, and beside it all that is not. */
function asValue({
  resource,
  history,
  server,
  token,
  workspace,
  llm,
  llms,
  prompt,
  refersTo,
  notes,
  referredBy,
  events,
  budgets,
}: Facts): unknown {
  const status = server ?? token ?? workspace ?? llm ?? prompt;
  return {
    ...asDocument(resource),
    ...(status ? { status } : {}),
    ...(llms.length === 0 ? {} : { models: llms }),
    ...(budgets.length === 0 ? {} : { usage: budgets }),
    ...(notes.length === 0 ? {} : { notes }),
    source: history,
    ...(resource.origins ? { origins: resource.origins } : {}),
    references: { to: refersTo, from: referredBy },
    events,
  };
}

function asText({
  resource,
  history,
  server,
  token,
  workspace,
  llm,
  llms,
  prompt,
  refersTo,
  selects,
  notes,
  referredBy,
  events,
  budgets,
  log,
}: Facts): string {
  const section = (title: string, content: string): string => (content === '' ? '' : `${title}\n${indent(content)}`);
  const rows = ({ head, rows: all }: Table): string => (all.length === 0 ? '' : table(head, all));
  const references = [
    ...refersTo.map((address) => `${selects.includes(address) ? 'selects' : 'refers to'} ${address}`),
    ...referredBy.map((address) => `referred to by ${address}`),
  ];
  return [
    `${addressOf(resource)}  (${history.file}:${history.line})`,
    section('Last change', history.change ? commitText(history.change) : ''),
    section('Labels', labelsText(resource.metadata)),
    section('Spec', formatValue(asDocument(resource)['spec'], 'yaml')),
    section('Written elsewhere', originLines(resource).join('\n')),
    section('Use', token ? tokenSection(token) : ''),
    ...(server ? serverSections(server, (resource.spec as { isolation?: unknown }).isolation, log) : []),
    section('Workspace', workspace ? workspaceSection(workspace) : ''),
    section('Model', llm ? llmSection(llm) : ''),
    section('Models', rows(llmTable(llms))),
    section('Link', prompt ? promptSection(prompt) : ''),
    section('Notes', notes.join('\n')),
    section('Usage', rows(budgetTable(budgets))),
    section('References', references.join('\n')),
    section('Events', rows(eventTable(events.slice(-MAX_EVENTS), false))),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function labelsText({ project, labels, annotations }: Resource['metadata']): string {
  const pairs = [...Object.entries(labels), ...Object.entries(annotations)].map(([key, value]) => `${key}=${value}`);
  return [...(project === undefined ? [] : [`project ${project}`]), ...pairs].join('\n');
}
