/**
 * `x-mcp-header`: which arguments of a tool are repeated in HTTP headers
 * (MCP 2026-07-28, basic/transports/streamable-http, "Custom Headers from Tool Parameters"). Pure.
 */
import { isVerbatim, rounded } from './exact-json.ts';
import { toHeader } from './modern.ts';

/** One argument that is repeated. */
export interface Mirror {
  /** Lower case: `mcp-param-region`. */
  readonly header: string;
  readonly path: readonly string[];
  /** Whether `7` and `7.0` are the same value. */
  readonly integer: boolean;
}

const KEYWORD = 'x-mcp-header';
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const MIRRORED_TYPES: readonly unknown[] = ['string', 'integer', 'boolean'];
const NONE: readonly Mirror[] = [];

/** @returns why the tool must not be used over HTTP, if its schema breaks the rules */
export function mirrorsOf(schema: unknown): readonly Mirror[] | string {
  // Deep and rare: most tools are told by one look at their text.
  if (!JSON.stringify(schema ?? null).includes(`"${KEYWORD}"`)) return NONE;
  const mirrors: Mirror[] = [];
  const problem = walk(schema, [], mirrors) ?? strays(schema, mirrors.length);
  if (problem !== undefined) return problem;
  const names = new Set(mirrors.map(({ header }) => header));
  return names.size === mirrors.length ? mirrors : `two ${KEYWORD} have the same name`;
}

/** Follows `properties` only: nothing else says for certain where a value will stand. */
function walk(schema: unknown, path: readonly string[], found: Mirror[]): string | undefined {
  const { properties } = (schema ?? {}) as { properties?: unknown };
  if (typeof properties !== 'object' || properties === null) return undefined;
  for (const [name, value] of Object.entries(properties as Record<string, unknown>)) {
    const property = (typeof value === 'object' ? value : null) as Record<string, unknown> | null;
    const at = [...path, name];
    if (property && KEYWORD in property) {
      const header = property[KEYWORD];
      if (typeof header !== 'string' || !TOKEN.test(header)) return `${at.join('.')}: ${KEYWORD} is no header name`;
      if (!MIRRORED_TYPES.includes(property['type']))
        return `${at.join('.')}: ${KEYWORD} on a type that it cannot have`;
      const integer = property['type'] === 'integer';
      found.push({ header: `mcp-param-${header.toLowerCase()}`, path: at, integer });
    }
    const problem = walk(property, at, found);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Annotations anywhere else (in `items`, `anyOf`, `$defs` …) make the definition invalid. */
function strays(schema: unknown, found: number): string | undefined {
  let all = 0;
  const count = (value: unknown, inProperties: boolean): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      // A property may itself be called so.
      if (key === KEYWORD && !inProperties && !Array.isArray(value)) all++;
      if (key !== 'default' && key !== 'examples' && key !== 'enum' && key !== 'const')
        count(inner, key === 'properties' && !inProperties);
    }
  };
  count(schema, false);
  return all > found ? `${KEYWORD} stands where no one property can be meant` : undefined;
}

/** The value as its header has it; `undefined` where there is none, or none that can be mirrored. */
export function mirrored(mirror: Mirror, args: unknown): string | undefined {
  const value = valueAt(mirror, args);
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' || Number.isSafeInteger(value) ? String(value) : undefined;
}

/** Whether it is an integer of which two readers may make two: beyond ±(2⁵³ − 1), which no mirrored value may be. */
export function isInexact(mirror: Mirror, args: unknown): boolean {
  const value = mirror.integer ? valueAt(mirror, args) : undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

function valueAt({ path }: Mirror, args: unknown): unknown {
  let value = args;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return isVerbatim(value) ? rounded(value) : value;
}

/** The headers for a call. */
export function mirrorHeaders(mirrors: readonly Mirror[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const mirror of mirrors) {
    const value = mirrored(mirror, args);
    if (value !== undefined) headers[mirror.header] = toHeader(value);
  }
  return headers;
}
