/**
 * A plan as Markdown, for the comment on a pull request: what counts first, details folded, short enough for every forge.
 * Pure. What it tells of was written by whoever opened the request, so all of it stands in code.
 */
import type { Change, Guard, Plan } from '../../schemas/plan.ts';
import { countsOf, DOWNTIME, fieldsShown, fieldText, NOTHING_TO_DO, symbolOf, VERB } from '../../schemas/plan-words.ts';
import { saidOf, toolCounts, type Said } from '../../schemas/lock/plan-words.ts';
import type { Issue } from '../../schemas/resource.ts';

/** GitHub takes 65 536 characters, and the others more. */
export const MAX_MARKDOWN = 60_000;
/** Of these, what the list of changes may take; details come after it. */
const MAX_LIST = 20_000;
/** The same for what is accepted of tools. */
const MAX_TOOLS = 20_000;
const MAX_VALUE = 500;
const MAX_FIELDS = 100;
const MAX_GUARDS = 20;

/** What users lose comes first: a deletion must not drown in a thousand harmless lines. */
const WEIGHT: Readonly<Record<Change['action'], number>> = { delete: 0, replace: 1, update: 2, create: 3, noop: 4 };

/** @returns fewer than {@link MAX_MARKDOWN} characters */
export function planMarkdown(plan: Plan): string {
  const changes = plan.changes
    .filter((change) => change.action !== 'noop')
    .toSorted(
      (a, b) =>
        WEIGHT[a.action] - WEIGHT[b.action] || Number(b.downtime === 'restart') - Number(a.downtime === 'restart'),
    );
  const head = [
    titleOf(plan, changes),
    ...guardLines(plan.guards),
    ...warningLines(plan),
    ...allowedLines(plan),
    ...driftLines(plan),
    ...toolLines(plan),
  ];
  const list = within(MAX_LIST, changes.map(changeLine), (left) => `- … and ${left} more, see \`slipway plan\``);
  const told = [...head, ...(list.length === 0 ? [] : ['', ...list])].join('\n');
  const room = MAX_MARKDOWN - told.length - 500;
  const folded = within(
    room,
    changes.flatMap(detailsOf),
    (left) => `The details of ${left} more changes are too long for here: see \`slipway plan\`.`,
  );
  return [told, ...(folded.length === 0 ? [] : ['', ...folded])].join('\n');
}

/** Why a commit is refused. @returns fewer than {@link MAX_MARKDOWN} characters */
export function issuesMarkdown(issues: readonly Issue[]): string {
  const lines = issues.map(
    ({ file, line, column, message, hint }) =>
      `- ${code(`${file}:${line}:${column}`)} ${code(message)}${hint ? `: ${code(hint)}` : ''}`,
  );
  return [
    `**The config is not valid: ${issues.length} issue${issues.length === 1 ? '' : 's'}.** Nothing of it would be applied.`,
    '',
    ...within(MAX_LIST, lines, (left) => `- … and ${left} more, see \`slipway validate\``),
  ].join('\n');
}

function titleOf(plan: Plan, changes: readonly Change[]): string {
  if (plan.guards.length > 0) return `**Blocked.** Plan: ${countsOf(plan)}.`;
  if (plan.tools) return `**Plan: ${countsOf(plan)}; ${toolCounts(plan.tools)}.**`;
  if (changes.length > 0) return `**Plan: ${countsOf(plan)}.**`;
  return plan.drift.length > 0 ? '**No changes, but what runs has drifted.**' : `**${NOTHING_TO_DO}**`;
}

function guardLines(guards: readonly Guard[]): string[] {
  if (guards.length === 0) return [];
  const lines = guards
    .slice(0, MAX_GUARDS)
    .map((guard) => `- ${code(guard.code)}: ${code(guard.message)} To allow it: ${code(guard.allow)}`);
  const more = guards.length - lines.length;
  return ['', ...lines, ...(more > 0 ? [`- … and ${more} more`] : [])];
}

function warningLines({ warnings = [] }: Plan): string[] {
  const lines = warnings.map((warning) => `- ${code(warning)}`);
  return lines.length === 0 ? [] : ['', ...within(5000, lines, (left) => `- … and ${left} more`)];
}

function allowedLines({ allowed }: Plan): string[] {
  if (allowed.length === 0) return [];
  const lines = allowed.map(
    ({ code: guard, by, message }) => `- passes ${code(guard)}, by ${code(by)}: ${code(message)}`,
  );
  return ['', ...within(5000, lines, (left) => `- … and ${left} more`)];
}

function driftLines({ drift }: Plan): string[] {
  if (drift.length === 0) return [];
  const lines = drift.map(
    ({ address, instance, reason }) => `- drifted: ${code(address)}, ${code(instance)}: ${code(reason)}`,
  );
  return ['', ...within(5000, lines, (left) => `- … and ${left} more`)];
}

/** What the lock file accepts: read by whoever merges it, so none of it is folded. */
function toolLines(plan: Plan): string[] {
  const said = saidOf(plan);
  if (said.length === 0) return [];
  const kept = [''];
  let used = 0;
  for (const [at, one] of said.entries())
    for (const line of saidLines(one)) {
      used += line.length + 1;
      if (used > MAX_TOOLS) return [...kept, `- … and ${said.length - at} more about tools, see \`slipway plan\``];
      kept.push(line);
    }
  return kept;
}

/** One after the other: what is said in detail takes time, and room that may not be there. */
function* saidLines(said: Said): Generator<string> {
  yield `- ${code(`${said.sign} ${said.text}`)}`;
  for (const detail of said.details) yield `  - ${code(detail)}`;
}

function changeLine(change: Change): string {
  const downtime = DOWNTIME[change.downtime];
  const held = change.blockedBy.length > 0 ? ', held back' : '';
  return `- ${code(`${symbolOf(change)} ${change.address}`)} ${VERB[change.action]}${downtime ? ` (${downtime})` : ''}${held}`;
}

/** Folded. An empty line parts the summary from what is Markdown again. */
function detailsOf(change: Change): string[] {
  const fields = fieldsShown(change);
  const lines = [
    `because ${change.reason}`,
    ...(change.source ? [`in ${change.source.file}:${change.source.line}`] : []),
    ...change.blockedBy.map((why) => `held back: ${why}`),
    ...fields.slice(0, MAX_FIELDS).map(fieldText),
    ...(fields.length > MAX_FIELDS ? [`… and ${fields.length - MAX_FIELDS} more fields`] : []),
  ].map((line) => short(oneLine(line)));
  const fence = '`'.repeat(longestRun(lines.join('\n')) + 3);
  return [
    `<details><summary><code>${html(`${symbolOf(change)} ${change.address}`)}</code></summary>\n\n${fence}diff\n${lines.join('\n')}\n${fence}\n\n</details>`,
  ];
}

/** As many parts as fit, and how many are left out. */
function within(room: number, parts: readonly string[], told: (left: number) => string): string[] {
  const kept: string[] = [];
  let used = 0;
  for (const part of parts) {
    used += part.length + 1;
    if (used > room) return [...kept, told(parts.length - kept.length)];
    kept.push(part);
  }
  return kept;
}

/**
 * Markdown injection: a name or message could mention people, fetch images, hide text, or be a command to the forge (GitLab's
 * quick actions). In a code span, longer than any run of backticks within, it is only text.
 */
export function code(text: string): string {
  const plain = short(oneLine(text));
  const ticks = '`'.repeat(longestRun(plain) + 1);
  const space = /^`|`$|^\s|\s$/.test(plain) || plain === '' ? ' ' : '';
  return `${ticks}${space}${plain}${space}${ticks}`;
}

/** Control characters, and those that turn the direction of text: what reads like one thing must not be another. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]+/gu, ' ');

const short = (text: string): string => (text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE)}…`);

const longestRun = (text: string): number => Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));

const html = (text: string): string =>
  oneLine(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
