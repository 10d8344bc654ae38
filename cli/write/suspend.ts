/** What can be suspended: every kind that has the field. */
import { documentSchema, type JsonSchema } from '../../schemas/json-schema.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { KINDS } from '../../schemas/kinds/index.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import type { Invocation } from '../command.ts';
import type { Json } from '../document/json.ts';
import { oneNamedBy } from '../select.ts';
import { change } from './change.ts';
import { say } from './changes.ts';
import { withValue } from './fields.ts';
import { found } from './find.ts';

/** @throws SlipwayError usage, not-found */
export function changeSuspension(invocation: Invocation, isSuspended: boolean): Promise<number> {
  const { kind, name, rest } = oneNamedBy(invocation.args);
  if (rest.length > 0) throw new SlipwayError('usage', 'Name one kind and one name.');
  if (!hasField(kind)) {
    const able = (Object.values(KINDS) as Kind[]).filter(hasField).map(({ plural }) => plural);
    throw new SlipwayError('usage', `A ${kind.kind} cannot be suspended.`, {
      hint: `What can be: ${able.join(', ')}.`,
    });
  }
  return change(invocation, async (draft) => {
    const { document } = await found(draft, kind, name);
    const now = draft.meaning(document.value) ?? (document.value as Json);
    const value = withValue(now, ['spec', 'suspend'], isSuspended);
    const outcome = await say(draft, { kind: kind.kind, name, value });
    return [outcome.verb === 'unchanged' ? outcome : { ...outcome, verb: isSuspended ? 'suspended' : 'resumed' }];
  });
}

function hasField(kind: Kind): boolean {
  const { spec } = documentSchema(kind)['properties'] as { spec: { properties?: Record<string, JsonSchema> } };
  return spec.properties?.['suspend'] !== undefined;
}
