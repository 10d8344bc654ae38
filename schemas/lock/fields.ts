/** What stands where in a tool: `inputSchema.properties.to.description`, and its text. For plans, word by word. */
import type { Part } from './pin.ts';
import type { Shown } from './shown.ts';

/** One place that says something else, or came, or is gone. */
export interface Field {
  readonly path: string;
  readonly before?: string;
  readonly after?: string;
}

/** @param parts those that differ. The description is told on its own */
export function fieldChanges(before: Shown, after: Shown, parts: readonly Part[]): Field[] {
  const [was, is] = [leavesOf(before, parts), leavesOf(after, parts)];
  return [...new Set([...was.keys(), ...is.keys()])].sort().flatMap((path): Field[] => {
    const [old, now] = [was.get(path), is.get(path)];
    if (old === now) return [];
    return [{ path, ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) }];
  });
}

/** What a tool says that nobody knew before, but for what says nothing to anybody: that a text is a string, say. */
export function sayings(tool: Shown, parts: readonly Part[]): Field[] {
  return [...leavesOf(tool, parts, isPlain)].map(([path, after]) => ({ path, after }));
}

type Skip = (key: string, value: unknown) => boolean;

const TYPES = new Set(['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']);

function isPlain(key: string, value: unknown): boolean {
  if (typeof value === 'string') return key === 'type' && TYPES.has(value);
  return typeof value !== 'object' || value === null || isEmpty(value);
}

const isEmpty = (value: object): boolean => Object.keys(value).length === 0;

function leavesOf(tool: Shown, parts: readonly Part[], skip: Skip = () => false): Map<string, string> {
  const leaves = new Map<string, string>();
  const walk = (value: unknown, path: string, key: string): void => {
    if (isLeaf(value)) return void (skip(key, value) || leaves.set(path, textOf(value)));
    for (const [name, child] of Object.entries(value as object))
      walk(child, Array.isArray(value) ? `${path}[${name}]` : path + stepTo(name), name);
  };
  for (const part of parts) if (part !== 'description' && tool[part] !== undefined) walk(tool[part], part, part);
  return leaves;
}

/** Words in a row are read as one: `required`, `enum`. */
function isLeaf(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every((one) => typeof one !== 'object' || one === null);
  return isEmpty(value);
}

/** A key with a dot in it must not look like another place, whose change it would hide. */
const stepTo = (key: string): string => (/^[\w$-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);

/** No text looks like a number, nor like a list. */
function textOf(value: unknown): string {
  return typeof value === 'string' && !isJson(value) ? value : JSON.stringify(value);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
