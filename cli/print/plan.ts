/** A plan as text: one line a change with its because, its fields below, the sum at the end. */
import type { Change, Downtime, FieldChange, Plan } from '../../schemas/plan.ts';
import type { Io, Style } from '../io.ts';

const VERB: Record<Change['action'], string> = {
  create: 'will be created',
  update: 'will be updated',
  replace: 'will be replaced',
  delete: 'will be deleted',
  noop: 'stays as it is',
};

const STYLE: Record<Change['action'], Style> = {
  create: 'green',
  update: 'yellow',
  replace: 'yellow',
  delete: 'red',
  noop: 'dim',
};

const DOWNTIME: Record<Downtime, string> = {
  none: '',
  reload: '',
  swap: 'new beside old, no gap',
  restart: 'old stops before new starts: a gap',
  stop: 'it stops',
};

/** `+` create, `~` update, `+/-` new before old, `-/+` old before new, `-` delete. */
function symbol({ action, downtime }: Change): string {
  if (action === 'replace') return downtime === 'swap' ? '+/-' : '-/+';
  return { create: '+', update: '~', delete: '-', noop: ' ' }[action];
}

export function planText(plan: Plan, paint: Io['paint']): string {
  const changes = plan.changes.filter((change) => change.action !== 'noop');
  const lines = changes.flatMap((change) => [changeLine(change, paint), ...details(change)]);
  for (const drift of plan.drift)
    lines.push(paint('yellow', `! ${drift.address}: ${drift.instance} drifted: ${drift.reason}`));
  for (const guard of plan.guards)
    lines.push(paint('red', `✗ blocked (${guard.code}): ${guard.message}`), `  to allow it: ${guard.allow}`);
  if (lines.length === 0) return 'Nothing to do: what runs is what the config asks for.';
  const { create, update, replace, delete: remove } = plan.summary;
  return [
    ...lines,
    '',
    `Plan: ${create} to create, ${update} to update, ${replace} to replace, ${remove} to delete.`,
  ].join('\n');
}

function changeLine(change: Change, paint: Io['paint']): string {
  const downtime = DOWNTIME[change.downtime];
  const where = change.source ? paint('dim', `  ${change.source.file}:${change.source.line}`) : '';
  const head = paint(STYLE[change.action], `${symbol(change).padEnd(3)} ${change.address}`);
  return `${head} ${VERB[change.action]} because ${change.reason}${downtime ? ` (${downtime})` : ''}${where}`;
}

function details(change: Change): string[] {
  const fields = change.action === 'create' || change.action === 'delete' ? [] : change.fields.map(fieldLine);
  return [...fields, ...change.blockedBy.map((why) => `      held back: ${why}`)];
}

function fieldLine({ path, before, after, sensitive }: FieldChange): string {
  if (sensitive) return `      ${path}: (sensitive value)`;
  if (before === undefined) return `      + ${path}: ${JSON.stringify(after)}`;
  if (after === undefined) return `      - ${path}: ${JSON.stringify(before)}`;
  return `      ~ ${path}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`;
}
