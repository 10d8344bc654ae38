/** How a running Slipway does, on one screen. */
import type { EventRow } from '../../schemas/operate.ts';
import { inWords } from '../../schemas/lock/differences.ts';
import { conditionOf, type ServerStatus, type Status } from '../../schemas/status.ts';
import type { Io } from '../io.ts';
import { llmLines } from './llms.ts';
import { commitText } from './events.ts';
import { plain } from './plain.ts';
import { age, table } from './table.ts';

/** What fits on a screen beside the servers. */
const MAX_ISSUES = 5;
/** Why a change of a server is not made yet. */
const WAITING: ReadonlySet<string> = new Set(['OutsideWindow', 'DependencyNotReady']);
const MAX_ERRORS = 3;
const MAX_REQUESTS = 5;

/** @param warnings what went wrong, oldest first */
export function statusText(status: Status, warnings: readonly EventRow[], { paint }: Pick<Io, 'paint'>): string {
  const ready = conditionOf(status, 'Ready');
  const style = ready?.status === 'True' ? 'green' : ready?.status === 'False' ? 'red' : 'yellow';
  const { lastApplied, lastAttempted, lastProbe, lastReached, outbox, servers, issues, workspaces } = status;
  const isBehind = lastAttempted !== undefined && lastAttempted.id !== lastApplied?.id;
  const lines = [
    // Whoever may see a part only is told neither.
    `${paint(style, stateOf(status))}${ready?.message ? `: ${plain(ready.message)}` : ''} (${ready?.reason ?? ''})`,
    `Source   ${status.source === '' ? '' : `${status.source}, `}looked at ${age(lastProbe)} ago, reached ${age(lastReached)} ago`,
    ...(lastApplied ? [`Applied  ${commitText(lastApplied)}`] : []),
    ...(isBehind ? [`Tried    ${commitText(lastAttempted)}`] : []),
    ...(status.gateway ? [`Gateway  ${status.gateway.url}/mcp, ${loadText(servers)}`] : []),
    ...(servers.length > 0 ? [`Servers  ${countsText(servers)}`] : []),
    ...(outbox.pending > 0
      ? [`Audit    ${outbox.pending} records wait for the remote${outbox.lastError ? `: ${outbox.lastError}` : ''}`]
      : []),
    ...backupLine(status),
    ...issues
      .slice(0, MAX_ISSUES)
      .map((issue) => `Issue    ${issue.file}:${issue.line} ${issue.code}: ${issue.message}`),
    ...(issues.length > MAX_ISSUES
      ? [`         and ${issues.length - MAX_ISSUES} more: see \`slipway validate\``]
      : []),
    ...reviewLines(status),
    ...workspaces.flatMap(({ name, error }) => (error === undefined ? [] : [`Files    workspace ${name}: ${error}`])),
    ...llmLines(status),
    ...waitingLines(status),
    ...driftLines(status),
    ...toolDriftLines(status),
    ...findingLines(status),
    ...signatureLines(status),
    ...warnings
      .slice(-MAX_ERRORS)
      .map((event) => `Error    ${age(event.at)} ago ${event.about} ${event.reason}: ${event.message}`),
  ];
  const rows =
    servers.length > 0 ? ['', table(['server', 'ready', 'state', 'tools', 'reason'], servers.map(serverRow))] : [];
  const [first = '', ...more] = lines;
  return [first, ...more.map(plain), ...rows].join('\n');
}

function signatureLines(status: Status): string[] {
  const verified = conditionOf(status, 'Verified');
  return verified
    ? [`Signed   ${verified.status === 'True' ? verified.message : `no (${verified.reason}): ${verified.message}`}`]
    : [];
}

function backupLine({ backup }: Status): string[] {
  if (!backup) return [];
  const { last, lastAt, next, pending, lastError } = backup;
  const parts = [
    last === undefined ? 'none yet' : `${last}, ${age(lastAt)} ago`,
    ...(next === undefined ? [] : [`next at ${next}`]),
    ...(pending > 0 ? [`${pending} wait for the remote`] : []),
  ];
  return [`Backup   ${parts.join(', ')}${lastError === undefined ? '' : `: ${lastError}`}`];
}

function stateOf(status: Status): string {
  if (conditionOf(status, 'Ready')?.status === 'True') return 'Ready';
  if (conditionOf(status, 'Stalled')) return 'Stalled';
  return conditionOf(status, 'Reconciling') ? 'Reconciling' : 'Not ready';
}

/** `5: 3 ready, 1 not ready, 1 starting; instances: 2 running, 1 sleeping`. */
function countsText(servers: readonly ServerStatus[]): string {
  const words = { True: 'ready', False: 'not ready', Unknown: 'starting' };
  const ready = countBy(servers.map((server) => words[conditionOf(server, 'Ready')?.status ?? 'Unknown']));
  const states = countBy(servers.flatMap(({ instances }) => instances.map(({ state }) => state)));
  return `${servers.length}: ${ready}${states === '' ? '' : `; instances: ${states}`}`;
}

function countBy(words: readonly string[]): string {
  return [...Map.groupBy(words, (word) => word)].map(([word, list]) => `${list.length} ${word}`).join(', ');
}

/** What the gateway has to do for all servers together; the slowest says how long calls take. */
function loadText(servers: readonly ServerStatus[]): string {
  const all = servers.flatMap(({ upstreams = [] }) => upstreams);
  const sum = (of: (upstream: (typeof all)[number]) => number): number =>
    all.reduce((total, one) => total + of(one), 0);
  const calls = sum((one) => one.calls);
  if (calls === 0) return 'no calls of what runs now';
  const slowest = Math.max(...all.map(({ p95Ms = 0 }) => p95Ms));
  const rate = `${Number(sum((one) => one.perSecond).toPrecision(2))} calls/s`;
  return `${rate}, ${sum((one) => one.inFlight)} in flight, p95 up to ${slowest} ms; ${calls} of what runs now, ${sum((one) => one.errors)} failed`;
}

/** What came of pull requests, those heard of last first, and whether the forge gets through. */
export function reviewLines({ review }: Pick<Status, 'review'>): string[] {
  if (!review) return [];
  const { forge, lastHook, lastRefused, requests } = review;
  const heard = lastHook ? `heard from ${age(lastHook.at)} ago: ${lastHook.outcome}` : 'not heard from since the start';
  const isBad = lastRefused !== undefined && (lastHook === undefined || lastRefused.at > lastHook.at);
  const rows = requests.slice(-MAX_REQUESTS).toReversed();
  return [
    `Forge    ${forge}, ${heard}`,
    ...(isBad ? [`         refused ${age(lastRefused.at)} ago: ${lastRefused.reason}`] : []),
    ...rows.map(({ number, state, verdict = state, summary, error }) => {
      const words = [summary, error].filter((part) => part !== undefined).join('; ');
      return `Review   #${number} ${verdict}${words === '' ? '' : `: ${words}`}`;
    }),
  ];
}

/** What is left as it is for now: suspended, outside of its window, or because of what it depends on. */
export function waitingLines(status: Status): string[] {
  const line = (who: string, message: string): string => `Waits    ${who}${message}`;
  const whole = conditionOf(status, 'Suspended');
  return [
    ...(whole?.status === 'True' ? [line('', whole.message)] : []),
    ...status.servers.flatMap((server) => {
      const [held, step] = [conditionOf(server, 'Suspended'), conditionOf(server, 'Reconciling')];
      if (held?.status === 'True') return whole?.status === 'True' ? [] : [line(`${server.name}: `, held.message)];
      return step && WAITING.has(step.reason) ? [line(`${server.name}: `, step.message)] : [];
    }),
  ];
}

/** What somebody changed by hand, and nobody heals. */
export function driftLines({ servers }: Pick<Status, 'servers'>): string[] {
  return servers.flatMap((server) => {
    const drifted = conditionOf(server, 'Drifted');
    return drifted?.status === 'True' ? [`Drifted  ${server.name}: ${drifted.message}`] : [];
  });
}

/** Tools that no commit accepted as they are now. */
export function toolDriftLines({ servers }: Pick<Status, 'servers'>): string[] {
  return servers.flatMap(({ name, pins, ...rest }) => {
    const told = conditionOf(rest, 'Pinned');
    if (told?.status !== 'False') return [];
    const tools = (pins?.differences ?? []).map((one) => `${one.tool} (${inWords(one)})`);
    return [`Tools    ${name}: ${told.message}${tools.length === 0 ? '' : `: ${tools.join(', ')}`}`];
  });
}

/** Of tools that somebody should look at, how many there are: `describe` has the rest. */
function findingLines({ servers }: Pick<Status, 'servers'>): string[] {
  return servers.flatMap(({ name, findings = [] }) => {
    if (findings.length === 0) return [];
    const kinds = [...new Set(findings.map(({ kind }) => kind))].join(', ');
    return [`Tools    ${name}: ${findings.length} to look at (${kinds}): see \`slipway describe server ${name}\``];
  });
}

/** Why it is ready or not, and what else one should know who looks for it. */
function reasonsOf(server: ServerStatus): string[] {
  const step = conditionOf(server, 'Reconciling')?.reason;
  const reasons = [
    conditionOf(server, 'Ready')?.reason,
    conditionOf(server, 'Pinned')?.status === 'False' ? 'ToolDrift' : undefined,
    conditionOf(server, 'Suspended')?.status === 'True' ? 'Suspended' : undefined,
    step !== undefined && WAITING.has(step) ? step : undefined,
  ];
  return [...new Set(reasons.filter((reason) => reason !== undefined))];
}

/** One line for a server, shared with `get servers`. */
export function serverRow(server: ServerStatus): string[] {
  const ready = conditionOf(server, 'Ready');
  return [
    server.name,
    ready?.status ?? 'Unknown',
    countBy(server.instances.map(({ state }) => state)) || server.runtime,
    String(server.tools?.length ?? '-'),
    reasonsOf(server).join(', '),
  ];
}
