/** Three ways to say what changes: fields, a merge patch, a JSON patch. All give the whole document as it is to be. */
import jsonpatch from 'fast-json-patch';
import { parse } from 'yaml';
import { SlipwayError } from '../../schemas/errors.ts';
import { documentSchema } from '../../schemas/json-schema.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { isList, isMap, fieldOf, toJson, type Json, type JsonMap } from '../document/json.ts';
import { readValue, schemaAt, withValue } from './fields.ts';

/**
 * `replicas=3`, `env.TOKEN.value=x`, `command[1]=b`, `metadata.labels.team=core`; `description=null` takes a field away.
 * @throws SlipwayError usage
 */
export function patchFields(kind: Kind, value: Json, assignments: readonly string[]): Json {
  const schema = documentSchema(kind);
  return assignments.reduce((document, assignment) => {
    const equals = assignment.indexOf('=');
    if (equals < 1) throw new SlipwayError('usage', `${assignment} is not of the form field=value.`);
    const text = assignment.slice(equals + 1);
    const path = pathOf(assignment.slice(0, equals));
    return withValue(
      document,
      path,
      text === 'null' ? undefined : readValue(schemaAt(schema, path), text, path.join('.')),
    );
  }, value);
}

/** Below `spec` unless it says otherwise. What stands in brackets may hold dots: `metadata.labels[example.com/team]`. */
function pathOf(text: string): string[] {
  const parts = [...text.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, bracketed, plain]) => bracketed ?? plain ?? '');
  return parts[0] === 'metadata' || parts[0] === 'spec' ? parts : ['spec', ...parts];
}

/** JSON Merge Patch (RFC 7386): null takes away, maps are merged, everything else is replaced. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const entries = new Map(isMap(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch))
    if (value === null) entries.delete(key);
    else entries.set(key, mergePatch(entries.get(key), value));
  return Object.fromEntries(entries);
}

/** JSON Patch (RFC 6902): all of its operations or none. @throws SlipwayError usage with the operation that does not apply */
export function jsonPatch(target: Json, patch: Json): Json {
  if (!isList(patch) || !patch.every((operation) => isMap(operation) && typeof fieldOf(operation, 'op') === 'string'))
    throw new SlipwayError('usage', 'A JSON patch is a list of operations.', {
      hint: `For example [{"op":"replace","path":"/spec/replicas","value":2}].`,
    });
  try {
    const operations = patch as unknown as jsonpatch.Operation[];
    return toJson(jsonpatch.applyPatch(toJson(target), operations, true).newDocument);
  } catch (error) {
    const { index, operation, name } = error as { index?: number; operation?: JsonMap; name?: string };
    const which = index === undefined ? '' : ` (operation ${index}: ${JSON.stringify(operation)})`;
    throw new SlipwayError('usage', `The patch does not apply${which}: ${name ?? 'it is malformed'}.`, {
      cause: error,
      hint: 'See `slipway get <kind> <name> -o json` for what is there.',
    });
  }
}

/** @param text YAML or JSON */
export function readPatch(text: string): Json {
  try {
    return toJson(parse(text, { schema: 'core', maxAliasCount: 0 }));
  } catch {
    throw new SlipwayError('usage', 'The patch is neither YAML nor JSON.');
  }
}
