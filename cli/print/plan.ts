/** A plan as text: one line a change with its because, its fields below, the sum at the end. */
import { planMarkdown, issuesMarkdown } from '../../reconciler/index.ts';
import type { Change, Plan } from '../../schemas/plan.ts';
import { countsOf, DOWNTIME, fieldsShown, fieldText, NOTHING_TO_DO, symbolOf, VERB } from '../../schemas/plan-words.ts';
import { saidOf, toolCounts } from '../../schemas/lock/plan-words.ts';
import type { Issue } from '../../schemas/resource.ts';
import type { Io, Style } from '../io.ts';
import { printIssues } from './issues.ts';
import { plain } from './plain.ts';
import { toolLines } from './tools.ts';
import { formatValue } from './value.ts';

const STYLE: Record<Change['action'], Style> = {
  create: 'green',
  update: 'yellow',
  replace: 'yellow',
  delete: 'red',
  noop: 'dim',
};

/** What `plan` and `diff` can print. `markdown` is for comments on pull requests. */
export const PLAN_FORMATS = ['text', 'markdown', 'json'] as const;

export function printPlan(plan: Plan, format: unknown, io: Io): void {
  if (format === 'json') io.out(formatValue(plan, 'json'));
  else if (format === 'markdown') io.out(planMarkdown(plan));
  else io.out(planText(plan, io.paint));
}

/** Why there is no plan. For machines that read the answer it is one, too. */
export function printNoPlan(issues: readonly Issue[], format: unknown, io: Io): void {
  if (format === 'markdown') io.out(issuesMarkdown(issues));
  else if (format === 'json') io.out(formatValue({ issues }, 'json'));
  printIssues(issues, io);
}

export function planText(plan: Plan, paint: Io['paint']): string {
  const changes = plan.changes.filter((change) => change.action !== 'noop');
  const lines = changes.flatMap((change) => [changeLine(change, paint), ...details(change)]);
  lines.push(...toolLines(saidOf(plan), paint));
  for (const drift of plan.drift)
    lines.push(paint('yellow', `! ${drift.address}: ${drift.instance} drifted: ${plain(drift.reason)}`));
  for (const guard of plan.guards)
    lines.push(
      paint('red', `✗ blocked (${guard.code}): ${plain(guard.message)}`),
      `  to allow it: ${plain(guard.allow)}`,
    );
  for (const warning of plan.warnings ?? []) lines.push(paint('yellow', `! ${plain(warning)}`));
  for (const guard of plan.allowed)
    lines.push(paint('yellow', `! passes ${guard.code}, by ${plain(guard.by)}: ${plain(guard.message)}`));
  return lines.length === 0
    ? NOTHING_TO_DO
    : [...lines, '', `Plan: ${countsOf(plan)}${plan.tools ? `; ${toolCounts(plan.tools)}` : ''}.`].join('\n');
}

function changeLine(change: Change, paint: Io['paint']): string {
  const downtime = DOWNTIME[change.downtime];
  const where = change.source ? paint('dim', `  ${plain(change.source.file)}:${change.source.line}`) : '';
  const head = paint(STYLE[change.action], `${symbolOf(change).padEnd(3)} ${change.address}`);
  return `${head} ${VERB[change.action]} because ${plain(change.reason)}${downtime ? ` (${downtime})` : ''}${where}`;
}

function details(change: Change): string[] {
  return [
    ...fieldsShown(change).map((field) => `      ${plain(fieldText(field))}`),
    ...change.blockedBy.map((why) => `      held back: ${plain(why)}`),
  ];
}
