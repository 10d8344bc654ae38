import { existsSync } from 'node:fs';
import {
  AUDIT_BRANCH,
  AuditReader,
  delivered,
  readQuery,
  statePaths,
  verifyBranch,
  verifyLocal,
  type AuditEvent,
  type SessionRow,
  type Verdict,
} from '../../reconciler/index.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { suggest } from '../../schemas/suggest.ts';
import { SOURCE_OPTIONS, TARGET_OPTIONS, text, type Command, type Invocation, type Options } from '../command.ts';
import type { Io } from '../io.ts';
import { eventLine, eventTable, sessionTable } from '../print/audit.ts';
import { formatValue } from '../print/value.ts';
import { placeOf, stateDirOf } from '../place.ts';
import { openSource } from '../source.ts';
import { findTarget } from '../target.ts';

/** Options that are passed on as they are, by their names there. */
const FILTERS = ['principal', 'tool', 'server', 'project', 'kind', 'outcome', 'session', 'request', 'limit'] as const;

type Verb = (invocation: Invocation) => Promise<number>;

const VERBS: Readonly<Record<string, Verb>> = { query, sessions, tail, verify };

export const command: Command = {
  summary: 'ask who did what: query, sessions, tail, verify',
  usage: '<query|sessions|tail|verify>',
  options: [
    ...TARGET_OPTIONS.map((option) =>
      option.flags.startsWith('--server') ? { ...option, flags: '--url <url>' } : option,
    ),
    ...SOURCE_OPTIONS.filter(({ flags }) => flags.startsWith('--repo')),
    { flags: '--principal <who>', description: 'for example token:ci' },
    { flags: '--tool <name>', description: "a tool, prompt or URI, by the server's own name" },
    { flags: '--server <name>', description: 'events about this server' },
    { flags: '--project <name>', description: 'events about this project' },
    { flags: '--kind <event>', description: 'for example tool_call_trace, auth_failure, reconcile' },
    { flags: '--outcome <outcome>', description: 'ok, error, timeout, cancelled, failed or denied' },
    { flags: '--session <hash>', description: 'one session' },
    { flags: '--request <id>', description: 'the X-Request-Id of an answer' },
    { flags: '--since <when>', description: 'a date, or how long ago: 2026-01-02T03:04:05Z, 1h' },
    { flags: '--until <when>', description: 'the same, for the end' },
    { flags: '--since-commit <id>', description: 'from the first event under this commit' },
    { flags: '--limit <n>', description: 'how many, newest first', default: '100' },
    {
      flags: '--from <where>',
      description: 'verify: this host, or the branch of the config repo',
      choices: ['local', 'git'],
    },
    { flags: '--branch <name>', description: 'where it is committed', default: AUDIT_BRANCH },
    {
      flags: '-o, --output <format>',
      description: 'output format',
      choices: ['table', 'wide', 'json', 'yaml'],
      default: 'table',
    },
  ],
  examples: [
    'slipway audit query --principal token:ci --outcome denied --since 24h',
    'slipway audit tail',
    'slipway audit verify --from git',
  ],

  async run(invocation) {
    const [name = ''] = invocation.args;
    const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
    if (!verb) {
      const [names, nearest] = [Object.keys(VERBS).join(', '), suggest(name, Object.keys(VERBS))];
      const hint = nearest ? `Did you mean ${nearest}?` : 'For example `slipway audit query --since 1h`.';
      throw new SlipwayError('usage', `There is no \`audit ${name}\`; there are ${names}.`, { hint });
    }
    return verb(invocation);
  },
};

async function query({ options, io }: Invocation): Promise<number> {
  const asked = queryOf(options);
  const { events } = await ask<{ events: AuditEvent[] }>('/audit', asked, options, io, async (reader) => ({
    events: await reader.events(readQuery(asked)),
  }));
  const format = text(options, 'output');
  if (format === 'json' || format === 'yaml') io.out(formatValue(events, format));
  else io.out(eventTable(events, format === 'wide'));
  return 0;
}

async function sessions({ options, io }: Invocation): Promise<number> {
  const asked = queryOf(options);
  const answer = await ask<{ sessions: SessionRow[] }>('/audit/sessions', asked, options, io, async (reader) => ({
    sessions: await reader.sessions(readQuery(asked, 'sessions')),
  }));
  const format = text(options, 'output');
  if (format === 'json' || format === 'yaml') io.out(formatValue(answer.sessions, format));
  else io.out(sessionTable(answer.sessions));
  return 0;
}

/** Events as they come, until it is interrupted. */
async function tail({ options, io }: Invocation): Promise<number> {
  const asked = queryOf(options);
  asked.set('follow', 'true');
  const target = await findTarget(targetOf(options), io);
  const machine = text(options, 'output') === 'json';
  for await (const line of target.lines(`/audit?${asked}`))
    io.out(machine ? line : eventLine(JSON.parse(line) as AuditEvent));
  return 0;
}

async function verify({ options, io }: Invocation): Promise<number> {
  const branch = text(options, 'branch') ?? AUDIT_BRANCH;
  const verdicts =
    text(options, 'from') === 'git' ? await ofBranch(branch, options, io) : [await ofHost(branch, options, io)];
  const format = text(options, 'output');
  if (format === 'json' || format === 'yaml') io.out(formatValue(verdicts, format));
  else for (const verdict of verdicts) print(verdict, io);
  return verdicts.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

/** What this host holds, and whether it is what was committed. */
async function ofHost(branch: string, options: Options, io: Io): Promise<Verdict> {
  const paths = statePaths(stateDirOf(options, placeOf(text(options, 'repo') ?? '.', io.cwd), io));
  const pinned = await delivered(paths.records, branch, io.signal);
  const chain = verifyLocal(paths.audit, new Map()).chain;
  return verifyLocal(paths.audit, pinned.get(chain) ?? new Map());
}

async function ofBranch(branch: string, options: Options, io: Io): Promise<Verdict[]> {
  const place = placeOf(text(options, 'repo') ?? '.', io.cwd);
  await using source = openSource(options, place, statePaths(stateDirOf(options, place, io)).mirror, io.log);
  if (source.remote === undefined) throw new SlipwayError('not-found', 'The config has no remote.');
  return verifyBranch(source.remote, branch, io.signal);
}

function print({ chain, lines, head, problems, notes }: Verdict, io: Io): void {
  const style = problems.length === 0 ? 'green' : 'red';
  const state = problems.length === 0 ? 'intact' : 'NOT INTACT';
  io.out(
    `${io.paint(style, state)}: ${lines} events of the log ${chain || '-'}, up to ${head?.seq ?? 0} ${head?.hash ?? ''}`,
  );
  for (const problem of problems) io.out(`Problem  ${problem}`);
  for (const note of notes) io.out(`Note     ${note}`);
}

function queryOf(options: Options): URLSearchParams {
  const asked = new URLSearchParams();
  for (const name of [...FILTERS, 'since', 'until', 'sinceCommit'] as const) {
    const value = text(options, name);
    if (value !== undefined) asked.set(name, value);
  }
  return asked;
}

/** `--server` names a server of the config here; the Slipway to speak to is `--url`. */
const targetOf = (options: Options): Options => ({ ...options, server: options['url'] });

/** From the Slipway that runs, or, where none does, from what it left. */
async function ask<T>(
  path: string,
  asked: URLSearchParams,
  options: Options,
  io: Io,
  offline: (reader: AuditReader) => Promise<T>,
): Promise<T> {
  try {
    const target = await findTarget(targetOf(options), io, 'own');
    return await target.json<T>('GET', `${path}?${asked}`);
  } catch (error) {
    const paths = statePaths(stateDirOf(options, placeOf(text(options, 'repo') ?? '.', io.cwd), io));
    const isDown = error instanceof SlipwayError && error.code === 'not-running' && options['url'] === undefined;
    if (!isDown || !existsSync(paths.audit)) throw error;
    const branch = text(options, 'branch') ?? AUDIT_BRANCH;
    using reader = new AuditReader({ dir: paths.audit, repository: paths.records, branch: () => branch });
    return await offline(reader);
  }
}
