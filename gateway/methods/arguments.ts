/** Checks a tool's arguments against the schema that its server gave: with ajv, lazily, and no longer than allowed. */
import { createHash } from 'node:crypto';
import { createContext, Script } from 'node:vm';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { rounded } from '../../schemas/exact-json.ts';
import type { Item } from '../upstream/listing.ts';

/** A schema larger than this is not looked at (characters of JSON, levels, objects and arrays). */
const MAX_TEXT = 256 * 1024;
const MAX_DEPTH = 64;
const MAX_NODES = 10_000;
/** How long preparing a schema, and one check with it, may take (ms). */
const COMPILE_TIMEOUT = 2_000;
const CHECK_TIMEOUT = 100;
/** Prepared schemas that are kept; the oldest goes first. */
const MAX_KEPT = 500;

/** What is wrong with a value. */
export interface Misfit {
  /** They name the field. */
  readonly words: string;
  /** It is the schema that is wrong: no value could be right. */
  readonly isSchema?: true;
}

/** @returns `undefined` for a value that fits */
type Check = (args: unknown) => Misfit | undefined;

const bySchema = new Map<string, Promise<Check>>();
const byTool = new WeakMap<Item, Promise<Check>>();

/** @returns what is wrong with the arguments; `undefined` if they fit */
export async function problemWith(tool: Item, args: unknown): Promise<Misfit | undefined> {
  let check = byTool.get(tool);
  if (!check) byTool.set(tool, (check = checkFor(tool['inputSchema'])));
  return (await check)(rounded(args ?? {}));
}

/** The same for the `structuredContent` of a result. Equal schemas are prepared once. */
export async function resultProblem(tool: Item, value: unknown): Promise<Misfit | undefined> {
  return (await checkFor(tool['outputSchema']))(rounded(value));
}

/** Equal schemas share one check, also after a list was fetched again. */
function checkFor(schema: unknown): Promise<Check> {
  const text = JSON.stringify(schema) ?? 'true';
  const key = createHash('sha256').update(text).digest('base64');
  const known = bySchema.get(key);
  if (known) return known;
  const made = prepare(schema, text).catch((error: unknown): Check => {
    const misfit: Misfit = { words: `its schema cannot be used: ${String(error)}`, isSchema: true };
    return () => misfit;
  });
  bySchema.set(key, made);
  for (const oldest of bySchema.keys()) {
    if (bySchema.size <= MAX_KEPT) break;
    bySchema.delete(oldest);
  }
  return made;
}

async function prepare(schema: unknown, text: string): Promise<Check> {
  if (text.length > MAX_TEXT) throw new TooMuch('it is too large');
  const found = survey(schema);
  const old = /draft-0[67]/.test(String((schema as { $schema?: unknown } | null)?.$schema));
  const { default: Ajv } = old ? await import('ajv') : await import('ajv/dist/2020.js');
  // One for each schema: what one server calls its schemas must not meet another's.
  const ajv = new Ajv.default({ strict: false, validateFormats: false, ownProperties: true, logger: false });
  const { $schema: _, ...rest } = schema as Record<string, unknown>;
  const validate = within(COMPILE_TIMEOUT, () => ajv.compile(rest)) as ValidateFunction;
  const run: Check = (args) => (validate(args) ? undefined : { words: inWords(validate.errors?.[0]) });
  if (!found.risky) return run;
  return (args) => {
    try {
      return within(CHECK_TIMEOUT, () => run(args)) as Misfit | undefined;
    } catch {
      return { words: 'they could not be checked in time' };
    }
  };
}

class TooMuch extends Error {
  override toString(): string {
    return this.message;
  }
}

/**
 * What a schema is made of. `$ref` bombs and catastrophic patterns: what is small to write can take for ever to check, so
 * whatever refers, matches or compares is checked against the clock. SSRF: a reference to elsewhere is refused, never fetched.
 */
function survey(schema: unknown): { risky: boolean } {
  let nodes = 0;
  let risky = false;
  const walk = (value: unknown, depth: number): void => {
    if (typeof value !== 'object' || value === null) return;
    if (++nodes > MAX_NODES || depth > MAX_DEPTH) throw new TooMuch('it is too large or too deep');
    for (const [key, inner] of Object.entries(value)) {
      if ((key === '$ref' || key === '$dynamicRef' || key === '$recursiveRef') && typeof inner === 'string') {
        if (!inner.startsWith('#')) throw new TooMuch('it refers to another document');
        risky = true;
      }
      // `uniqueItems` compares each item with each other one.
      if (key === 'pattern' || key === 'patternProperties' || key === 'uniqueItems') risky = true;
      walk(inner, depth + 1);
    }
  };
  walk(schema, 0);
  return { risky };
}

const watched = new Script('run()');

/** Runs it against the clock: the one way to stop a regular expression. @throws when the time is over */
function within(ms: number, run: () => unknown): unknown {
  return watched.runInContext(createContext({ run }), { timeout: ms });
}

/** Names the field, and says what is wrong with it. */
function inWords(error: ErrorObject | undefined): string {
  const { instancePath = '', keyword = '', params = {}, message = 'does not fit' } = error ?? {};
  const path = instancePath.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~');
  const inner = (name: unknown): string => (path === '' ? String(name) : `${path}.${String(name)}`);
  if (keyword === 'required') return `${inner(params['missingProperty'])} is required`;
  if (keyword === 'additionalProperties') return `${inner(params['additionalProperty'])} is not allowed`;
  const allowed: unknown = keyword === 'enum' ? params['allowedValues'] : undefined;
  const hint = Array.isArray(allowed) ? `: ${allowed.slice(0, 20).join(', ')}` : '';
  return `${path === '' ? 'the whole' : path} ${message}${hint}`.slice(0, 500);
}
