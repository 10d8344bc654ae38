/** How tools differ from those that were pinned. Pure: for the gateway, `slipway lock` and plans alike. */
import { PARTS, type Part, type Pin } from './pin.ts';

export const CHANGES = ['added', 'removed', 'renamed', 'changed'] as const;

export interface Difference {
  /** As it is called now; one that is gone, as it was. */
  readonly tool: string;
  readonly change: (typeof CHANGES)[number];
  /** What one that was renamed was called. */
  readonly from?: string | undefined;
  /** What of it is another. */
  readonly parts: readonly Part[];
}

/**
 * By name. A tool that is gone and one that came are the same one renamed where description and schemas are the same: a
 * new name alone must not look like a tool that nobody knows.
 */
export function differences(before: readonly Pin[], after: readonly Pin[]): Difference[] {
  const [was, is] = [byName(before), byName(after)];
  const gone = new Map([...was.values()].filter(({ name }) => !is.has(name)).map((pin) => [pin.name, pin]));
  const found: Difference[] = [];
  for (const [tool, pin] of is) {
    const old = was.get(tool);
    const from = old ? undefined : takeSame(gone, pin);
    const parts = differing(old ?? from, pin);
    if (from) found.push({ tool, change: 'renamed', from: from.name, parts });
    else if (!old) found.push({ tool, change: 'added', parts: [] });
    else if (parts.length > 0) found.push({ tool, change: 'changed', parts });
  }
  for (const tool of gone.keys()) found.push({ tool, change: 'removed', parts: [] });
  return found.sort((a, b) => (a.tool < b.tool ? -1 : 1));
}

/** Of two with one name, clients get the first. */
function byName(pins: readonly Pin[]): Map<string, Pin> {
  return new Map(pins.toReversed().map((pin) => [pin.name, pin]));
}

/** Takes the first that says the same, as only one can have become this one. */
function takeSame(gone: Map<string, Pin>, pin: Pin): Pin | undefined {
  const same = gone.values().find((old) => sameText(old, pin));
  if (same) gone.delete(same.name);
  return same;
}

/** Without a description, schemas alone say too little: many tools take nothing. */
function sameText({ hashes: a }: Pin, { hashes: b }: Pin): boolean {
  return (
    a.description !== undefined &&
    a.description === b.description &&
    a.inputSchema === b.inputSchema &&
    a.outputSchema === b.outputSchema
  );
}

function differing(before: Pin | undefined, { hashes }: Pin): Part[] {
  return before ? PARTS.filter((part) => before.hashes[part] !== hashes[part]) : [];
}

/** `it was added`, `its description and annotations changed`. */
export function inWords({ change, from, parts }: Difference): string {
  const list = parts.length > 1 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}` : parts.join('');
  if (change === 'changed') return `its ${list} changed`;
  if (change === 'renamed') return `it was called ${from}${list === '' ? '' : `, and its ${list} changed`}`;
  return change === 'added' ? 'it is new' : 'it is gone';
}
