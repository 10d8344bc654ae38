/** What can be attached to a project, told by the kinds themselves: a list of names that refer to another kind. */
import { SlipwayError } from '../../schemas/errors.ts';
import { documentSchema, type JsonSchema } from '../../schemas/json-schema.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
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
  usage: '<kind> [name]',
  options: [{ flags: '-p, --project <project>', description: 'the project it is about' }, ...WRITE_OPTIONS],
};

/** @param edit what becomes of the project's list of names */
export function changeAttachment(
  invocation: Invocation,
  verb: string,
  edit: (names: readonly Json[], name: string) => readonly Json[],
): Promise<number> {
  const { kind, name } = oneNamedBy(invocation.args);
  const project = text(invocation.options, 'project');
  if (project === undefined) throw new SlipwayError('usage', 'Name the project with --project.');
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
