import { SlipwayError } from '../../schemas/errors.ts';
import type { Abilities, CanI } from '../../schemas/operate.ts';
import { outputOption, TARGET_OPTIONS, text, type Command, type Invocation } from '../command.ts';
import { table } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import { findTarget, type Target } from '../target.ts';

const SUMMARY = 'tell whether somebody may do something, and why';
const FORGET = 'take back the consent for a server: whoever uses it next is asked again';

export const command: Command = {
  summary: 'what somebody may do, and what they consented to',
  usage: '<can-i|forget>',
  commands: {
    'can-i': { summary: SUMMARY, make: () => canI },
    forget: { summary: FORGET, make: () => forget },
  },
  examples: ['slipway auth can-i --list', 'slipway auth can-i run sync'],
  run: ({ args: [action] }) =>
    Promise.reject(
      new SlipwayError('usage', `There is no \`auth ${action}\`; there are \`auth can-i\` and \`auth forget\`.`),
    ),
};

const forget: Command = {
  summary: FORGET,
  usage: '<server>',
  options: [
    ...TARGET_OPTIONS,
    { flags: '--as <principal>', description: 'that of somebody else: token:<name>, user:<name> or local' },
  ],
  examples: ['slipway auth forget tracker', 'slipway auth forget tracker --as token:ci'],

  async run({ args: [server = ''], options, io }) {
    const target = await findTarget(options, io);
    const path = ['consents', server, text(options, 'as') ?? []].flat().map(encodeURIComponent).join('/');
    const { principal } = await target.json<{ principal: string | null }>('DELETE', `/${path}`);
    io.out(`forgotten: the consent of ${principal ?? 'all'} for ${server}`);
    return 0;
  },
};

const canI: Command = {
  summary: SUMMARY,
  usage: '[verb] [thing]',
  options: [
    ...TARGET_OPTIONS,
    { flags: '--as <principal>', description: 'somebody else: token:<name>, user:<name>, group:<name> or local' },
    { flags: '--project <name>', description: 'on the route of this project' },
    { flags: '--list', description: 'all that it may do' },
    outputOption(['table', 'json', 'yaml']),
  ],
  examples: [
    'slipway auth can-i call github/create_issue --as token:ci --project dev',
    'slipway auth can-i view servers/github',
    'slipway auth can-i run sync',
    'slipway auth can-i scope audit',
    'slipway auth can-i --list --as user:ada',
  ],

  async run(invocation) {
    const { args, options, io } = invocation;
    const [verb, thing] = args;
    const target = await findTarget(options, io);
    if (options['list'] === true) return list(target, invocation);
    if (verb === undefined || thing === undefined)
      throw new SlipwayError('usage', 'Say what to do, and to what: `slipway auth can-i view servers`.');
    const answer = await target.json<CanI>('GET', `/auth/can-i?${queryOf(invocation, { verb, thing })}`);
    const format = options['output'];
    if (format === 'json' || format === 'yaml') io.out(formatValue(answer, format));
    else {
      const { allowed, reason, places, commit, remedy } = answer;
      io.out(allowed ? 'yes' : 'no');
      io.out(`  ${reason}`);
      if (places.length > 0) io.out(`  at ${places.join(', ')}, commit ${commit.slice(0, 12)}`);
      if (remedy !== undefined) io.out(`  ${remedy}`);
    }
    return answer.allowed ? 0 : 1;
  },
};

async function list(target: Target, invocation: Invocation): Promise<number> {
  const { options, io } = invocation;
  const mine = await target.json<Abilities>('GET', `/auth/can-i?${queryOf(invocation, { list: 'true' })}`);
  const format = options['output'];
  if (format === 'json' || format === 'yaml') {
    io.out(formatValue(mine, format));
    return 0;
  }
  const words = (all: readonly string[]): string => (all.length > 0 ? all.join(', ') : '-');
  io.out(
    [
      `Principal    ${mine.principal}`,
      `Groups       ${words(mine.groups)}`,
      `Roles        ${words(mine.roles)}`,
      `Operations   ${words(mine.operations)}`,
      `Scopes       ${words(mine.scopes)}`,
    ].join('\n'),
  );
  const rows = mine.rules.map(({ role, verbs, resources, names, projects, servers }) => [
    role,
    words(verbs),
    words(resources),
    words(names),
    words(projects),
    words(servers),
  ]);
  io.out(`\n${table(['role', 'verbs', 'resources', 'names', 'projects', 'servers'], rows)}`);
  return 0;
}

function queryOf({ options }: Invocation, wish: Readonly<Record<string, string>>): URLSearchParams {
  const query = new URLSearchParams(wish);
  for (const name of ['as', 'project']) {
    const value = text(options, name);
    if (value !== undefined) query.set(name, value);
  }
  return query;
}
