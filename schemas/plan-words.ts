/** How a plan is said, wherever it is shown: on a terminal, in the comment on a pull request. */
import type { Change, Downtime, FieldChange, Plan } from './plan.ts';

export const VERB: Readonly<Record<Change['action'], string>> = {
  create: 'will be created',
  update: 'will be updated',
  replace: 'will be replaced',
  delete: 'will be deleted',
  noop: 'stays as it is',
};

/** What users notice; nothing where they notice nothing. */
export const DOWNTIME: Readonly<Record<Downtime, string>> = {
  none: '',
  reload: '',
  swap: 'new beside old, no gap',
  restart: 'old stops before new starts: a gap',
  stop: 'it stops',
};

export const NOTHING_TO_DO = 'Nothing to do: what runs is what the config asks for.';

/** `+` create, `~` update, `+/-` new before old, `-/+` old before new, `-` delete. */
export function symbolOf({ action, downtime }: Change): string {
  if (action === 'replace') return downtime === 'swap' ? '+/-' : '-/+';
  return { create: '+', update: '~', delete: '-', noop: ' ' }[action];
}

/** `1 to create, 0 to update, 2 to replace, 0 to delete`. */
export const countsOf = ({ summary: { create, update, replace, delete: remove } }: Plan): string =>
  `${create} to create, ${update} to update, ${replace} to replace, ${remove} to delete`;

/** `~ spec.image: "a" -> "b"`. */
export function fieldText({ path, before, after, sensitive }: FieldChange): string {
  if (sensitive) return `${path}: (sensitive value)`;
  if (before === undefined) return `+ ${path}: ${valueText(after)}`;
  if (after === undefined) return `- ${path}: ${valueText(before)}`;
  return `~ ${path}: ${valueText(before)} -> ${valueText(after)}`;
}

/** What is encrypted is long, and its end differs. */
function valueText(value: FieldChange['after']): string {
  const isSealed = typeof value === 'string' && /^(YWdlLWVuY3J5cHRpb24ub3JnL3Yx|ENC\[)/.test(value);
  return isSealed ? `(${value.length} characters, encrypted, ending in ${value.slice(-12)})` : JSON.stringify(value);
}

/** Fields say something only where there was a resource before and is one after. */
export const fieldsShown = (change: Change): readonly FieldChange[] =>
  change.action === 'create' || change.action === 'delete' ? [] : change.fields;
