/** Why a resource is as it is: what asked for it, what came of that, and what to do. Pure. */
import { ERRORS, reasonOf, type ErrorCode } from '../../schemas/errors.ts';
import { addressOf } from '../../schemas/resource.ts';
import { conditionOf, type Condition, type ServerStatus } from '../../schemas/status.ts';
import { commitText, eventTable, historyText } from '../print/events.ts';
import { originLines } from '../print/origins.ts';
import { indent, table } from '../print/table.ts';
import type { Facts } from './facts.ts';

const MAX_EVENTS = 5;

export function why(facts: Facts): string {
  const { server, events, log } = facts;
  const { head, rows } = eventTable(events.slice(-MAX_EVENTS), false);
  return [
    [stateOf(facts), ...(server ? reasons(server) : [])].join('\n'),
    [...wanted(facts), ...(server ? running(server) : [])].join('\n'),
    ...(log.length === 0 ? [] : [`The last lines of its log\n${indent(log.join('\n'))}`]),
    ...(rows.length === 0 ? [] : [`What happened last\n${indent(table(head, rows))}`]),
  ].join('\n\n');
}

function stateOf({ resource, server, token, budgets }: Facts): string {
  const address = addressOf(resource);
  if (server) {
    const ready = conditionOf(server, 'Ready');
    const words = { True: 'is ready', False: 'is not ready', Unknown: 'is not ready yet' }[ready?.status ?? 'Unknown'];
    return `${address} ${words}: ${ready?.reason ?? 'nothing is known of it'}${colon(ready?.message)}`;
  }
  if (token)
    return `${address} ${token.expiresAt !== undefined && Date.parse(token.expiresAt) <= Date.now() ? `expired at ${token.expiresAt}` : 'is in force'}.`;
  const [first] = budgets.toSorted((a, b) => b.share - a.share);
  if (!first) return `${address} is in force.`;
  const used = `is ${first.state}: ${Math.round(first.share * 100)} % of it is used.`;
  return address === `Budget/${first.budget}`
    ? `${address} ${used}`
    : `${address} is in force. Its Budget/${first.budget} ${used}`;
}

/** What else is to be said of it, and for what is bad, the next step. */
function reasons({ conditions, instances }: ServerStatus): string[] {
  const others = conditions.filter(
    ({ type, status }) => type !== 'Ready' && type !== 'Stalled' && type !== 'Healthy' && status !== 'Unknown',
  );
  const ready = conditions.find(({ type }) => type === 'Ready');
  const hint = ready?.status === 'False' ? hintFor(ready) : undefined;
  return [
    ...(hint === undefined ? [] : [`What to do: ${hint}`]),
    ...others.map(({ type, status, reason, message }) => `${type} is ${status}: ${reason}${colon(message)}`),
    ...instances.flatMap(({ name, state, lastError, unready, drift = [] }) => [
      ...(lastError === undefined || state === 'running' ? [] : [`${name} is ${state}: ${lastError}`]),
      ...(unready === undefined ? [] : [`${name} gets no calls: ${unready}`]),
      ...drift.map((how) => `${name} differs from what was asked for: ${how}`),
    ]),
  ];
}

/** The table of errors knows what to do; reasons are its codes in another spelling. */
function hintFor({ reason }: Condition): string | undefined {
  const code = (Object.keys(ERRORS) as ErrorCode[]).find((one) => reasonOf(one) === reason);
  return code && ERRORS[code].hint;
}

function wanted({ history, referredBy, refersTo, status, resource, notes }: Facts): string[] {
  const { lastApplied, lastAttempted } = status;
  const isBehind = lastAttempted !== undefined && lastApplied !== undefined && lastAttempted.id !== lastApplied.id;
  return [
    `It is wanted because it stands at ${historyText(history)}.`,
    ...originLines(resource).map((line) => `Its ${line}.`),
    ...(resource.metadata.project === undefined ? [] : [`It belongs to Project/${resource.metadata.project}.`]),
    ...(referredBy.length === 0 ? [] : [`It is used by ${referredBy.join(', ')}.`]),
    ...(refersTo.length === 0 ? [] : [`It needs ${refersTo.join(', ')}.`]),
    ...notes,
    ...(isBehind
      ? [
          `In force is commit ${commitText(lastApplied)}.`,
          `A later one is not, or not whole: ${commitText(lastAttempted)}${colon(conditionOf(status, 'Ready')?.message)}`,
        ]
      : []),
  ];
}

function running({ instances, runtime, transport, upstreams = [], tools }: ServerStatus): string[] {
  const revisions = [...Map.groupBy(instances, ({ hash }) => hash)].map(
    ([hash, list]) =>
      `${list.length} of revision ${hash.slice(0, 8)}${list[0]?.runs === undefined ? '' : ` (${list[0].runs})`}`,
  );
  const refused = upstreams.filter(({ breaker }) => breaker !== 'closed');
  return [
    instances.length === 0
      ? `No instance of it is here; its runtime is ${runtime}, over ${transport}.`
      : `Its instances: ${revisions.join(', ')}; by ${runtime}, over ${transport}.`,
    ...(tools ? [`It offers ${tools.length} tools.`] : []),
    ...refused.map(
      ({ id, breaker, lastError = 'it failed too often' }) =>
        `The gateway’s breaker to ${id} is ${breaker}: ${lastError}`,
    ),
  ];
}

const colon = (message = ''): string => (message === '' ? '' : `: ${message}`);
