/** What is remembered of a tool, to notice that it is another one: a hash of each of its parts. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { visible } from './hidden.ts';

/** What a tool is to a model, besides its name (MCP `Tool`). */
export const PARTS = ['title', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const;
export type Part = (typeof PARTS)[number];

/** SHA-256 of a part's canonical JSON (RFC 8785), in hex. A part that a tool lacks has none. */
export type Hashes = Readonly<Partial<Record<Part, string | undefined>>>;

/** A tool as far as it is pinned. */
export interface Pin {
  /** With what is hidden made visible. */
  readonly name: string;
  readonly hashes: Hashes;
}

/** A tool as its server lists it. */
export type Listed = Readonly<Record<string, unknown>>;

const sha256 = (value: unknown): string =>
  createHash('sha256')
    .update(canonicalize(value) ?? '')
    .digest('hex');

const known = new WeakMap<Listed, Pin>();

/** Hashed once for each item that a server listed. */
export function pinOf(tool: Listed): Pin {
  let pin = known.get(tool);
  if (!pin) known.set(tool, (pin = { name: visible(String(tool['name'])), hashes: hashesOf(tool) }));
  return pin;
}

function hashesOf(tool: Listed): Hashes {
  const there = PARTS.filter((part) => tool[part] !== undefined);
  return Object.fromEntries(there.map((part) => [part, sha256(tool[part])]));
}

/** The digits that tell one key of a schema from another: they say where something changed; the whole hash says that it did. */
const DIGITS = 12;

/**
 * A short hash of each key of the parts that are objects, so that a difference can say where it is:
 * `inputSchema.required`, `inputSchema.properties.title`, `annotations.readOnlyHint`.
 */
export function keysOf(tool: Listed): Record<string, string> {
  const entries = PARTS.flatMap((part) => entriesOf(tool[part], [part]));
  return Object.fromEntries(entries.map(([path, value]) => [visible(path.join('.')), sha256(value).slice(0, DIGITS)]));
}

type Entry = readonly [path: readonly string[], value: unknown];

function entriesOf(value: unknown, path: readonly string[]): Entry[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, child]): Entry[] => {
    const deeper = key === 'properties' && path.length === 1 ? entriesOf(child, [...path, key]) : [];
    return deeper.length > 0 ? deeper : [[[...path, key], child]];
  });
}
