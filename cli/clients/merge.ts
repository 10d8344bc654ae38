/** Puts one entry into a file that belongs to somebody else: everything but the entry stays as it is, comments too. Pure. */
import {
  applyEdits,
  findNodeAtLocation,
  modify,
  parse,
  parseTree,
  type EditResult,
  type FormattingOptions,
  type Node,
  type ParseError,
} from 'jsonc-parser';
import { parse as parseToml, stringify as stringifyToml } from 'smol-toml';
import { SlipwayError } from '../../schemas/errors.ts';

type Value = Readonly<Record<string, unknown>>;

/** JSON, also with comments and trailing commas. @throws SlipwayError `invalid-value` for a file that is no such thing */
export function mergeJson(text: string, path: readonly string[], value: Value): string {
  const source = text.trim() === '' ? '{}\n' : text.replace(/^\ufeff/, '');
  const errors: ParseError[] = [];
  const root: unknown = parse(source, errors, { allowTrailingComma: true });
  if (errors.length > 0 || typeof root !== 'object' || root === null || Array.isArray(root))
    throw broken('JSON object');
  const formattingOptions = formatOf(source);
  // A new entry goes first: behind the last one there may be a comment, which would become that of the new one.
  const changed = applyEdits(source, editsOf(source, path, value, formattingOptions));
  return changed.endsWith('\n') ? changed : `${changed}\n`;
}

/** @throws SlipwayError `invalid-value` where something else stands in its place */
function editsOf(
  text: string,
  path: readonly string[],
  value: Value,
  formattingOptions: FormattingOptions,
): EditResult {
  for (let depth = 1; depth < path.length; depth++) {
    const node = findNodeAtLocation(parseTree(text) as Node, path.slice(0, depth));
    if (node && node.type !== 'object')
      throw new SlipwayError('invalid-value', `${path.slice(0, depth).join('.')} is no object there.`, {
        hint: 'Remove it by hand, then try again.',
      });
  }
  return modify(text, [...path], value, { formattingOptions, getInsertionIndex: () => 0 });
}

/** As the file is indented already. */
function formatOf(text: string): FormattingOptions {
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ';
  return { insertSpaces: !indent.includes('\t'), tabSize: indent.length, eol: text.includes('\r\n') ? '\r\n' : '\n' };
}

/**
 * TOML: the table of the entry is replaced, or put at the end.
 * @throws SlipwayError `invalid-value` for a file that is not TOML, or has the entry in a form that cannot be replaced
 */
export function mergeToml(text: string, path: readonly string[], value: Value): string {
  const before = parsedToml(text);
  const table = nested(path, value);
  const section = stringifyToml(table).trim();
  const lines = text === '' ? [] : text.trimEnd().split('\n');
  const header = `[${path.map(tomlKey).join('.')}]`;
  const start = lines.findIndex((line) => line.trim() === header);
  if (start < 0) lines.push(...(lines.length > 0 ? [''] : []), ...section.split('\n'));
  else {
    const next = lines.findIndex((line, at) => at > start && /^\s*\[/.test(line));
    const end = next < 0 ? lines.length : next;
    lines.splice(start, end - start, ...section.split('\n'), ...(next < 0 ? [] : ['']));
  }
  const merged = `${lines.join('\n')}\n`;
  // An inline table, a dotted key, a header inside a string: whatever we did not see is told rather than spoiled.
  if (JSON.stringify(sorted(parsedToml(merged))) !== JSON.stringify(sorted(withValue(before, path, value))))
    throw new SlipwayError('invalid-value', `${path.join('.')} stands there in a form that cannot be replaced.`, {
      hint: 'Remove it by hand, then try again.',
    });
  return merged;
}

function parsedToml(text: string): Record<string, unknown> {
  try {
    return parseToml(text);
  } catch {
    throw broken('TOML');
  }
}

const tomlKey = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key));

function nested([first, ...rest]: readonly string[], value: Value): Record<string, unknown> {
  return first === undefined ? { ...value } : { [first]: nested(rest, value) };
}

function withValue(
  root: Record<string, unknown>,
  [first = '', ...rest]: readonly string[],
  value: Value,
): Record<string, unknown> {
  if (rest.length === 0) return { ...root, [first]: value };
  return { ...root, [first]: withValue((root[first] ?? {}) as Record<string, unknown>, rest, value) };
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [key, sorted(inner)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function broken(what: string): SlipwayError {
  return new SlipwayError('invalid-value', `The file is no ${what}.`, {
    hint: 'Mend it, or remove it, then try again.',
  });
}
