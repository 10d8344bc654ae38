/** What of the lock file the gateway has to know. */
import { z } from 'zod';
import { differences, type Difference } from './differences.ts';
import { pinOf, type Listed } from './pin.ts';

const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hex')
  .optional();

/** A field for each part of a tool. */
export const hashesSchema = z.strictObject({
  title: hash,
  description: hash,
  inputSchema: hash,
  outputSchema: hash,
  annotations: hash,
  others: hash,
});

export const pinnedSchema = z.strictObject({
  /** `warn` marks what differs, `block` holds it. */
  drift: z.enum(['warn', 'block']),
  tools: z.array(z.strictObject({ name: z.string(), hashes: hashesSchema })),
  /** Where that is written: lines of the server and of its tools. */
  place: z.strictObject({ file: z.string(), line: z.number(), tools: z.record(z.string(), z.number()) }).optional(),
});
export type Pinned = z.output<typeof pinnedSchema>;

const compared = new WeakMap<readonly Listed[], { readonly pinned: Pinned; readonly found: readonly Difference[] }>();

/** How what a server lists differs from what was accepted. Compared once for each list. */
export function driftOf(pinned: Pinned, tools: readonly Listed[]): readonly Difference[] {
  const known = compared.get(tools);
  if (known?.pinned === pinned) return known.found;
  const found = differences(pinned.tools, tools.map(pinOf));
  compared.set(tools, { pinned, found });
  return found;
}
