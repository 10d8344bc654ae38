/** What can be attached to a project, told by the kinds themselves: a list of names that refer to another kind. */
import { SlipwayError } from '../../schemas/errors.ts';
import { documentSchema, type JsonSchema } from '../../schemas/json-schema.ts';
import { findKind, KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { text, WRITE_OPTIONS, type Command, type Invocation } from '../command.ts';
import { isList, isMap, fieldOf, type Json } from '../document/json.ts';
import { meaningOf } from '../document/meaning.ts';
import { oneNamedBy } from '../select.ts';
import { change } from './change.ts';
import { say } from './changes.ts';
import { withValue } from './fields.ts';
import { found } from './find.ts';

const PROJECT: Kind = KINDS.Project;

export const ATTACH: Pick<Command, 'usage' | 'options'> = {
  usage: '<kind> [name] [project...]',
  options: [{ flags: '-p, --project <project>', description: 'the project it is about' }, ...WRITE_OPTIONS],
};

/** @param edit what becomes of the project's list of names */
export function changeAttachment(
  invocation: Invocation,
  verb: string,
  edit: (names: readonly Json[], name: string) => readonly Json[],
): Promise<number> {
  const { kind, name, project } = meant(invocation);
  const field = listFor(kind);
  return change(invocation, async (draft) => {
    const { document } = await found(draft, PROJECT, project);
    const value = meaningOf(document.value) ?? (document.value as Json);
    const spec = isMap(value) ? fieldOf(value, 'spec') : undefined;
    const names = isMap(spec) ? fieldOf(spec, field) : undefined;
    const after = withValue(value, ['spec', field], edit(isList(names) ? names : [], name));
    const outcome = await say(draft, { kind: PROJECT.kind, name: project, value: after });
    return [outcome.verb === 'unchanged' ? outcome : { ...outcome, verb }];
  });
}

/** `server pager -p dev`, `server/pager project/dev`, `server pager dev`, `pager dev`: the project is named last. */
function meant({ args, options }: Invocation): { kind: Kind; name: string; project: string } {
  const named = text(options, 'project');
  if (named !== undefined) return { ...oneOf(args), project: named };
  const last = args.at(-1) ?? '';
  const isKind = (word = ''): boolean => findKind(word) === PROJECT;
  const [word, inAddress] = last.split('/');
  const project = isKind(word) && inAddress !== undefined ? inAddress : last;
  const before = args.slice(0, isKind(args.at(-2)) && args.length > 2 ? -2 : -1);
  const isBare = before.length === 1 && !before[0]?.includes('/');
  // A kind without a name: what was taken for the project is the name.
  if (before.length === 0 || project === '' || (isBare && findKind(before[0] ?? '')))
    throw new SlipwayError('usage', 'Name the project, too.', { hint: 'For example `server pager --project dev`.' });
  return { ...(isBare ? { kind: KINDS.Server, name: before[0] ?? '' } : oneOf(before)), project };
}

function oneOf(args: readonly string[]): { kind: Kind; name: string } {
  const { kind, name, rest } = oneNamedBy(args);
  if (rest.length > 0) throw new SlipwayError('usage', `There is no place for ${rest.join(' ')}.`);
  return { kind, name };
}

/** @throws SlipwayError usage for a kind that no list of a project is for */
function listFor(kind: Kind): string {
  const { spec } = documentSchema(PROJECT)['properties'] as { spec: { properties: Record<string, JsonSchema> } };
  const field = Object.keys(spec.properties).find((key) => {
    const tried = PROJECT.spec.safeParse({ [key]: ['name'] });
    return (
      tried.success &&
      PROJECT.references(tried.data).some((reference) => reference.path[0] === key && reference.kind === kind.kind)
    );
  });
  if (field === undefined) throw new SlipwayError('usage', `A ${kind.kind} cannot be attached to a project.`);
  return field;
}
