/** A value against the schema of its kind: what is wrong with it as issues, each with code, place and a hint that helps. */
import { z } from 'zod';
import { add, unknownField, type IssueContext } from './issue-list.ts';
import { formatPath } from './resource.ts';
import { suggest } from './suggest.ts';

/** Of one map. More say nothing new, and finding each one's place takes time. */
const MAX_UNKNOWN = 50;

/** What the schema makes of the value; `undefined` where it is not valid, which is noted. @param base path of the value */
export function check<Schema extends z.ZodType>(
  context: IssueContext,
  schema: Schema,
  value: unknown,
  base: readonly PropertyKey[],
): z.output<Schema> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) report(context, schema, value, base, issue);
  return undefined;
}

/** Turns one of zod's issues into ours: code, position, and a hint that helps. */
function report(
  context: IssueContext,
  schema: z.ZodType,
  value: unknown,
  base: readonly PropertyKey[],
  issue: z.core.$ZodIssue,
): void {
  const path = [...base, ...issue.path];
  const given = valueAt(value, issue.path);
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, issue.path);
    for (const key of issue.keys.slice(0, MAX_UNKNOWN)) unknownField(context, [...path, key], known);
  } else if (issue.code === 'custom' && issue.params?.['conflict']) {
    add(context, { code: 'conflicting-fields', path, message: `${formatPath(path)} ${issue.message}.` });
  } else if (given === undefined && issue.code !== 'invalid_key') {
    add(context, { code: 'missing-field', path, message: `${formatPath(path)} is missing.` });
  } else if (issue.code === 'invalid_type') {
    const hint =
      typeof given === 'number' && issue.expected === 'string'
        ? { hint: 'Put the value in quotes to make it a string.' }
        : {};
    add(context, {
      code: 'wrong-type',
      path,
      message: `${formatPath(path)} must be ${article(issue.expected)}, not ${typeName(given)}.`,
      ...hint,
    });
  } else if (issue.code === 'invalid_value') {
    const nearest = typeof given === 'string' ? suggest(given, issue.values.map(String)) : undefined;
    // What a schema says in its own words is more than which values there are.
    const own = issue.message.startsWith('Invalid ') ? undefined : issue.message;
    const said = own ?? (nearest && `Did you mean ${nearest}?`);
    const hint = said ? { hint: said } : {};
    add(context, {
      code: 'invalid-value',
      path,
      message: `${formatPath(path)} must be one of ${issue.values.map(String).join(', ')}.`,
      ...hint,
    });
  } else {
    const [message, on] =
      issue.code === 'invalid_key'
        ? (['is not allowed as a key', 'key'] as const)
        : ([lowerFirst(issue.message), 'value'] as const);
    add(context, { code: 'invalid-value', path, message: `${formatPath(path)} ${message}.`, on });
  }
}

/** The field names that an object schema has at `path`; empty where any are allowed. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  for (const key of path) {
    const inner = unwrap(current);
    if (inner instanceof z.ZodObject) current = (inner.shape as Record<PropertyKey, unknown>)[key];
    else if (inner instanceof z.ZodArray) current = inner.element;
    else if (inner instanceof z.ZodRecord) current = inner.valueType;
    else return [];
  }
  const object = unwrap(current);
  return object instanceof z.ZodObject ? Object.keys(object.shape) : [];
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrap(schema.unwrap());
  return schema;
}

/** What stands at a path; `undefined` where nothing does. */
export function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (current, key) => (typeof current === 'object' && current !== null ? Reflect.get(current, key) : undefined),
    value,
  );
}

const typeName = (value: unknown): string =>
  value === null ? 'empty' : article(Array.isArray(value) ? 'list' : typeof value);

function article(type: string): string {
  const word = { array: 'list', record: 'map', object: 'map', int: 'whole number' }[type] ?? type;
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
