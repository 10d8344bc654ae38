import { SlipwayError } from '../../schemas/errors.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { suggest } from '../../schemas/suggest.ts';
import { addressIn } from '../document/documents.ts';
import type { Json } from '../document/json.ts';
import type { Draft, Located } from './draft.ts';

/** @throws SlipwayError not-found with the name that may have been meant */
export async function found(draft: Draft, kind: Kind, name: string): Promise<Located> {
  const located = await draft.find(kind.kind, name);
  if (located) return located;
  const names = draft.of(kind.kind).map(({ metadata }) => metadata.name);
  const nearest = suggest(name, names);
  throw new SlipwayError('not-found', `There is no ${kind.kind} named ${name}.`, {
    hint: nearest ? `Did you mean ${nearest}?` : `See \`slipway get ${kind.plural} --local\`.`,
  });
}

/** A change of kind or name would be another resource; what refers to the old one would dangle. @throws SlipwayError usage */
export function sameIdentity(value: Json, kind: Kind, name: string): void {
  const address = addressIn(value);
  if (address?.kind !== kind.kind || address.name !== name)
    throw new SlipwayError('usage', `It must stay ${kind.kind}/${name}.`, {
      hint: 'To rename it, create it anew and delete the old one.',
    });
}
