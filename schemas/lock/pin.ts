/** What is remembered of a tool, to notice that it is another one: a hash of each of its parts. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { visible } from './hidden.ts';

/** What a tool is to a model, besides its name (MCP `Tool`). `others`: whatever else it has, but for `_meta`, which no model reads. */
export const PARTS = ['title', 'description', 'inputSchema', 'outputSchema', 'annotations', 'others'] as const;
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
 * SHA-256 of canonical JSON (RFC 8785), in hex. One bad text must not take down the list that all share: what JSON can carry and RFC 8785 has no form for (half of a
 * surrogate pair, 1e999) has a hash all the same.
 */
export function sha256(value: unknown): string {
  const hash = createHash('sha256');
  try {
    hash.update(canonicalize(value) ?? '');
  } catch {
    for (const piece of piecesOf(value)) hash.update(piece);
  }
  return hash.digest('hex');
}

/** Any JSON as texts that no other has: begun like no canonical JSON, each list with its length, each object with its keys. */
function* piecesOf(value: unknown): Generator<string> {
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
  return Object.fromEntries(Object.entries(partsOf(tool)).map(([part, value]) => [part, sha256(value)]));
}

const NAMED: ReadonlySet<string> = new Set(['name', '_meta', ...PARTS.filter((part) => part !== 'others')]);

/** The parts that it has. */
export function partsOf(tool: Listed): Readonly<Partial<Record<Part, unknown>>> {
  const others = Object.entries(tool).filter(([key, value]) => !NAMED.has(key) && value !== undefined);
  const there = PARTS.filter((part) => part !== 'others' && tool[part] !== undefined);
  return {
    ...Object.fromEntries(there.map((part) => [part, tool[part]])),
    ...(others.length > 0 ? { others: Object.fromEntries(others) } : {}),
  };
}
