import { ERRORS, SlipwayError, type ErrorCode } from '../../schemas/errors.ts';
import { inWords, placeOf, remedyFor } from '../../schemas/access.ts';
import type { Denial } from '../../schemas/operate.ts';
import { outputOption, TARGET_OPTIONS, type Command } from '../command.ts';
import { plain } from '../print/plain.ts';
import { formatValue } from '../print/value.ts';
import { findTarget } from '../target.ts';

export const command: Command = {
  summary: 'tell why a request was refused',
  usage: '<denied> <request-id>',
  options: [...TARGET_OPTIONS, outputOption(['table', 'json', 'yaml'])],
  examples: ['slipway explain denied Gk2rXw1Q-4f'],

  async run({ args: [what, id = ''], options, io }) {
    if (what !== 'denied')
      throw new SlipwayError('usage', `There is no \`explain ${what}\`; there is \`explain denied\`.`);
    const target = await findTarget(options, io);
    const denial = await target.json<Denial>('GET', `/denied/${encodeURIComponent(id)}`);
    const format = options['output'];
    io.out(format === 'json' || format === 'yaml' ? formatValue(denial, format) : told(denial));
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
