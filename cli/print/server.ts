/** All that a status tells about one server, section by section. */
import { LEGACY_VERSIONS } from '../../schemas/jsonrpc.ts';
import { inWords, type Difference } from '../../schemas/lock/differences.ts';
import { MODERN_VERSION } from '../../schemas/modern.ts';
import type { Condition, InstanceStatus, ServerStatus, UpstreamStatus } from '../../schemas/status.ts';
import { bytesText, secondsText } from './size.ts';
import { age, indent, table } from './table.ts';
import { formatValue } from './value.ts';

/** @param isolation what its config says; @param log its last lines */
export function serverSections(server: ServerStatus, isolation: unknown, log: readonly string[]): string[] {
  const { conditions, instances, tools, upstreams = [], unlisted = {}, findings = [] } = server;
  return [
    `Protocol\n${indent(protocol(server))}`,
    `Conditions\n${indent(conditionTable(conditions))}`,
    isolationSection(server, isolation),
    instances.length > 0 ? `Instances\n${indent(instanceTable(instances))}${remarks(instances)}` : '',
    upstreams.length > 0 ? `Gateway\n${indent([upstreamTable(upstreams), ...missing(unlisted)].join('\n'))}` : '',
    log.length > 0 ? `Last lines of its log\n${indent(log.join('\n'))}` : '',
    tools ? `Tools\n${indent(tools.join('\n') || 'none')}` : '',
    driftSection(server),
    findings.length > 0 ? `Findings\n${indent(findings.map(findingText).join('\n'))}` : '',
  ];
}

/** Tools that are not what the lock file says. */
function driftSection({ pins }: ServerStatus): string {
  if (!pins) return '';
  const lines = pins.differences.map((one) => `${one.tool}: ${inWords(one)}${isHeld(pins.drift, one) ? ', held' : ''}`);
  return `Not as in slipway.lock.yaml\n${indent(lines.join('\n'))}`;
}

const isHeld = (drift: string, { change }: Difference): boolean => drift === 'block' && change !== 'removed';

const findingText = ({ tool, kind, message }: NonNullable<ServerStatus['findings']>[0]): string =>
  `${tool} ${kind}: ${message}`;

const SPOKEN = { legacy: `MCP up to ${LEGACY_VERSIONS[0]}`, modern: `MCP ${MODERN_VERSION}` };

/** What it speaks, once somebody has talked to it, and how it is reached. */
function protocol({ era, transport }: ServerStatus): string {
  return `${era ? SPOKEN[era] : 'not known yet'}, over ${transport}`;
}

function conditionTable(list: readonly Condition[]): string {
  return table(
    ['type', 'status', 'since', 'reason', 'message'],
    list.map((entry) => [entry.type, entry.status, age(entry.lastTransitionTime), entry.reason, entry.message]),
  );
}

function instanceTable(list: readonly InstanceStatus[]): string {
  return table(
    ['name', 'runs', 'state', 'pid', 'restarts', 'age', 'cpu time', 'memory', 'pids'],
    list.map(({ name, runs = '-', state, pid, restarts, startedAt, stats }) => [
      name,
      runs,
      state,
      String(pid ?? '-'),
      String(restarts),
      age(startedAt),
      stats ? secondsText(stats.cpuSeconds) : '-',
      stats?.memoryLimitBytes === undefined
        ? bytesText(stats?.memoryBytes)
        : `${bytesText(stats.memoryBytes)} of ${bytesText(stats.memoryLimitBytes)}`,
      String(stats?.pids ?? '-'),
    ]),
  );
}

/** How the gateway stands with each instance. */
function upstreamTable(list: readonly UpstreamStatus[]): string {
  const rows = list.map(({ id, transport, connected, session, inFlight, calls, errors, breaker, ...more }) => [
    id + whomFor(more),
    transport,
    connected ? (session ? 'with a session' : 'yes') : 'no',
    String(inFlight),
    `${calls} (${errors} failed)`,
    breaker,
    more.needsAuthorization ?? more.lastError ?? '-',
  ]);
  return table(['upstream', 'transport', 'connected', 'in flight', 'calls', 'breaker', 'last error'], rows);
}

/** For one principal, or where clients share none, for one of them, or the next. */
function whomFor({ principal, for: client }: Pick<UpstreamStatus, 'principal' | 'for'>): string {
  const whom = [...(principal === undefined ? [] : [principal]), ...(client === undefined ? [] : [WHOM[client]])];
  return whom.length === 0 ? '' : ` for ${whom.join(', ')}`;
}

const WHOM = { client: 'one client', next: 'the next client' };

/** Lists that clients did without, or did not get whole. */
function missing(unlisted: Readonly<Record<string, string>>): string[] {
  return Object.entries(unlisted).map(([list, why]) => `${list}: ${why}`);
}

/** What is worth a line of its own. */
function remarks(list: readonly InstanceStatus[]): string {
  const lines = list.flatMap(({ name, lastError, unready, drift = [] }) => [
    ...(unready === undefined ? [] : [`${name}: not ready: ${unready}`]),
    ...(lastError === undefined ? [] : [`${name}: last error: ${lastError}`]),
    ...drift.map((how) => `${name}: drifted: ${how}`),
  ]);
  return lines.length === 0 ? '' : `\n${indent(lines.join('\n'))}`;
}

/** What its config says and, where a driver tells, what is left open. */
function isolationSection({ conditions, instances }: ServerStatus, asked: unknown): string {
  const exposed = [...new Set(instances.flatMap((instance) => instance.exposed ?? []))];
  const told = conditions.some(({ type }) => type === 'Isolated');
  if (asked === undefined && !told) return '';
  const lines = [
    ...(asked === undefined ? [] : [formatValue(asked, 'yaml')]),
    ...exposed.map((how) => `exposed: ${how}`),
    ...(told && exposed.length === 0 ? ['shut in as far as its runtime can'] : []),
  ];
  return `Isolation\n${indent(lines.join('\n'))}`;
}
