/** What is remembered of a tool, to notice that it is another one: a hash of each of its parts. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { unescaped, visible } from './hidden.ts';

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

/**
 * One bad text must not take down the list that all share: what JSON can carry and RFC 8785 has no form for (half of a
 * surrogate pair, 1e999) has a hash all the same.
 */
function sha256(value: unknown): string {
  const hash = createHash('sha256');
  try {
    hash.update(canonicalize(value) ?? '');
  } catch {
    for (const part of partsOf(value)) hash.update(part);
  }
  return hash.digest('hex');
}

/** Any JSON as texts that no other has: begun like no canonical JSON, each list with its length, each object with its keys. */
function* partsOf(value: unknown): Generator<string> {
  yield 'not canonical';
  const todo = [value];
  while (todo.length > 0) {
    const next = todo.pop();
    if (typeof next !== 'object' || next === null) yield ` ${typeof next === 'string' ? JSON.stringify(next) : next}`;
    else {
      const entries = Object.entries(next).sort(([a], [b]) => (a < b ? 1 : -1));
      yield Array.isArray(next) ? ` ${next.length}[` : ` {${JSON.stringify(entries.map(([key]) => key))}`;
      for (const [, child] of entries) todo.push(child);
    }
  }
}

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

/** A description as the lock file shows it; one that is no text, against the protocol, as its JSON. */
export function shownDescription(description: unknown): string {
  return visible(typeof description === 'string' ? description : JSON.stringify(description));
}

/** Whether the lock file shows the description that has this hash. */
export function isDescription(shown: string, hash: string): boolean {
  const text = unescaped(shown);
  // Written in another way, it could hide what it says.
  if (visible(text) !== shown) return false;
  if (sha256(text) === hash) return true;
  try {
    return sha256(JSON.parse(text)) === hash;
  } catch {
    return false;
  }
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
