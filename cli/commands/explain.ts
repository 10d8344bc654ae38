import { ERRORS, SlipwayError, type ErrorCode } from '../../schemas/errors.ts';
import { inWords, placeOf, remedyFor } from '../../schemas/access.ts';
import type { Denial } from '../../schemas/operate.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { plain, plainLines } from '../print/plain.ts';
import { formatValue } from '../print/value.ts';
import { chosen, groupsBy } from '../read/choose.ts';
import { kindFor } from '../select.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'tell what kinds there are, what a field means, why a resource is as it is, or why a request was refused',
  usage: '[kind] [name]',
  words: { kind: ['denied'] },
  options: [
    ...TARGET_OPTIONS,
    { flags: '-r, --recursive', description: 'all fields below a kind or a field, without their descriptions' },
    outputOption(['text', 'json', 'yaml']),
  ],
  examples: [
    'slipway explain',
    'slipway explain server',
    'slipway explain server.rollout --recursive',
    'slipway explain server.http.port',
    'slipway explain project.spec.limits -o yaml',
    'slipway explain server/github',
    'slipway explain denied Gk2rXw1Q-4f',
  ],

  async run({ args, options, io }) {
    const [what = '', id] = args;
    const format = options['output'];
    const say = (value: unknown, words: () => string): number => {
      io.out(format === 'json' || format === 'yaml' ? formatValue(value, format) : words());
      return 0;
    };
    if (what === '') {
      const { kindRows, kindTable } = await import('../print/kinds.ts');
      return say(kindRows(), kindTable);
    }
    if (what === 'denied') {
      if (id === undefined) throw new SlipwayError('usage', 'Which request? Its id is in the answer that refused it.');
      const target = await findTarget(options, io);
      const denial = await target.json<Denial>('GET', `/denied/${encodeURIComponent(id)}`);
      return say(denial, () => told(denial));
    }
    if (id === undefined && !what.includes('/')) {
      const [word = '', ...path] = what.split('.');
      const kind = kindFor(word, ['denied']);
      const { explained } = await import('../read/fields.ts');
      const { explainedText } = await import('../print/explain.ts');
      const field = explained(kind, path);
      if (options['recursive'] === true) {
        const { fieldTree } = await import('../print/field-tree.ts');
        return say(field, () => fieldTree(kind, field));
      }
      return say(field, () => explainedText(kind, field));
    }
    const groups = groupsBy(args);
    const target = await findTarget(options, io);
    const resources = await target.json<Resource[]>('GET', '/resources');
    const { common, factsOf } = await import('../read/facts.ts');
    const { why } = await import('../read/why.ts');
    const known = await common(target, resources);
    for (const resource of groups.flatMap((group) => chosen(resources, group))) {
      const facts = await factsOf(target, resource, known);
      const { history, server, token, refersTo, referredBy, events } = facts;
      say(
        {
          address: addressOf(resource),
          history,
          status: server ?? token ?? facts.workspace,
          refersTo,
          referredBy,
          notes: facts.notes,
          events,
        },
        () => plainLines(why(facts)),
      );
    }
    return 0;
  },
};

function told(denial: Denial): string {
  const { at, principal, method, project, server, tool, commit } = denial;
  const what = server === undefined ? method : `${method} ${server}:${tool ?? ''}`;
  const [why, ...more] = reasonOf(denial);
  const rows: [string, string | undefined][] = [
    ['When', at],
    ['Who', principal ?? 'nobody who is known'],
    ['What', what],
    ['Project', project],
    ['Why', why],
    ...more.map((line): [string, string] => ['', line]),
    ['Commit', commit.slice(0, 12)],
  ];
  return rows.flatMap(([label, value]) => (value === undefined ? [] : [label.padEnd(10) + plain(value)])).join('\n');
}

function reasonOf(denial: Denial): string[] {
  const { reason, message, decision, server = '', tool = '' } = denial;
  if (!decision) {
    const row = reason in ERRORS ? ERRORS[reason as ErrorCode] : undefined;
    return [message ?? row?.meaning ?? reason, ...(row ? [row.hint] : []), ...rolesIn(denial)];
  }
  const { rule } = decision;
  return [
    `${inWords(decision)}.`,
    ...(rule ? [`It stands at ${placeOf(rule)}.`] : rolesIn(denial)),
    ...(rule?.message === undefined ? [] : [`Details: ${rule.message}`]),
    `To lift it: ${remedyFor(decision, server, tool)}`,
  ];
}

/** What the caller had, where no rule but the lack of one decided. */
function rolesIn({ principal, roles, given = [] }: Denial): string[] {
  if (principal === undefined || !roles) return [];
  if (roles.length === 0) return [`${principal} is bound to no role.`];
  const places = given.length > 0 ? `, as written at ${given.map(placeOf).join(', ')}` : '';
  return [`${principal} has the roles ${roles.join(', ')}${places}.`];
}
