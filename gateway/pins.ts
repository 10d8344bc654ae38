/** Tools that are not what a commit accepted (rug pull: a server is approved, and says something else later). */
import type { Decision } from '../schemas/access.ts';
import { inWords, type Difference } from '../schemas/lock/differences.ts';
import { visible } from '../schemas/lock/hidden.ts';
import { driftOf, type Pinned } from '../schemas/lock/pinned.ts';
import type { Item, ListState } from './upstream/listing.ts';
import type { Server } from './upstream/server.ts';

/** What there is to say of a tool that differs; nothing for one that was accepted as it is. */
export interface Drifted {
  /** As half a sentence: `its description changed`. */
  readonly because: string;
  /** For one that is held. */
  readonly refusal: Decision | undefined;
  /** As clients are shown it: what stands in `_meta` is for people and programs, no text for the model. */
  mark(shown: Item): Item;
}

/** @returns undefined where nobody wants to know, or nothing differs @param state of the server's tools */
export function drifted(
  { entry: { pinned } }: Pick<Server, 'entry'>,
  state: ListState | undefined,
): ((name: string) => Drifted | undefined) | undefined {
  if (!pinned || !state?.items) return undefined;
  const found = driftOf(pinned, state.items);
  if (found.length === 0) return undefined;
  const byName = new Map(found.map((difference) => [difference.tool, difference]));
  return (name) => {
    const difference = byName.get(visible(name));
    return difference && saying(difference, pinned);
  };
}

function saying(difference: Difference, { drift, place }: Pinned): Drifted {
  const because = inWords(difference);
  const name = difference.from ?? difference.tool;
  const line = place && Object.hasOwn(place.tools, name) ? place.tools[name] : place?.line;
  const rule = place && line !== undefined ? { rule: { what: 'lock' as const, file: place.file, line } } : {};
  return {
    because,
    refusal: drift === 'block' ? { allowed: false, level: 'lock', because, ...rule } : undefined,
    mark: (shown) => {
      const meta = typeof shown['_meta'] === 'object' ? shown['_meta'] : {};
      return { ...shown, _meta: { ...meta, 'slipway/drift': because } };
    },
  };
}

/** Whether a tool of which nothing is known yet but its name could ever be used. */
export function mayBeAccepted({ entry: { pinned } }: Pick<Server, 'entry'>, name: string): boolean {
  return pinned?.drift !== 'block' || pinned.tools.some((tool) => tool.name === visible(name));
}
