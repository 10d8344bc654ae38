/**
 * A tool as the lock file shows it: all of it, so that whoever merges reads what a model will read. Poisoned texts stand in
 * descriptions of parameters as well, and a hash tells nobody. Hidden characters are made visible.
 */
import { unescaped, visible } from './hidden.ts';
import { PARTS, partsOf, sha256, type Hashes, type Listed, type Part } from './pin.ts';

/** The parts of a tool. Its description is a text, whatever its server made it; the others are JSON. */
export type Shown = Readonly<Partial<Record<Part, unknown>>>;

/** Deeper than any schema that a person reads, and not too deep for a YAML parser. */
const MAX_DEPTH = 48;

/** No file can show it, so nobody could read what they accept. */
export class Unshowable extends Error {}

/** @throws Unshowable */
export function shown(tool: Listed): Shown {
  const parts = Object.entries(partsOf(tool)) as [Part, unknown][];
  return Object.fromEntries(
    parts.map(([part, value]) => [part, part === 'description' ? textOf(value) : mapped(value, visible, part)]),
  );
}

/** One that is no text, against the protocol, as its JSON. */
function textOf(description: unknown): string {
  return visible(typeof description === 'string' ? description : JSON.stringify(description));
}

/** Whether what is shown is what the hash is of, and hides nothing: written in another way, it could. */
export function isOf(part: Part, value: unknown, hash: string): boolean {
  try {
    const listed = mapped(value, unescaped, part);
    if (JSON.stringify(mapped(listed, visible, part)) !== JSON.stringify(value)) return false;
    if (sha256(listed) === hash) return true;
    return part === 'description' && typeof listed === 'string' && sha256(JSON.parse(listed)) === hash;
  } catch {
    return false;
  }
}

/** Parts of which only the hash is there. */
export function unreadIn(tool: Shown & { readonly hashes: Hashes }): Part[] {
  return PARTS.filter((part) => tool.hashes[part] !== undefined && tool[part] === undefined);
}

/** The tool as its server listed it, as far as the file says. */
export function listedOf(tool: Shown & { readonly name: string }): Listed {
  const there = PARTS.filter((part) => tool[part] !== undefined);
  const { others, ...parts } = Object.fromEntries(there.map((part) => [part, mapped(tool[part], unescaped, part)]));
  return { name: unescaped(tool.name), ...parts, ...(others as object | undefined) };
}

/** @param change of each text, keys among them; no two may become the same */
function mapped(value: unknown, change: (text: string) => string, part: Part, depth = 0): unknown {
  if (typeof value === 'string') return change(value);
  if (value === Infinity || value === -Infinity) throw new Unshowable(`its ${part} has a number that is too large`);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) throw new Unshowable(`its ${part} is nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(value)) return value.map((one) => mapped(one, change, part, depth + 1));
  const entries = Object.entries(value).map(([key, one]) => {
    // No YAML of ours has it: set as a plain property, it would change the object's prototype.
    if (key === '__proto__') throw new Unshowable(`its ${part} has a key __proto__`);
    return [change(key), mapped(one, change, part, depth + 1)] as const;
  });
  return Object.fromEntries(entries);
}
