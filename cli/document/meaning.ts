/** What a document means: its fields with their defaults, and which of them must not be shown. */
import { kindOf } from '../../schemas/kinds/index.ts';
import { metadata } from '../../schemas/parse.ts';
import { API_VERSION, formatPath } from '../../schemas/resource.ts';
import { MASK } from '../../schemas/sensitive.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { isList, isMap, nameOf, toJson, type Json, type JsonMap } from './json.ts';

/** Undefined where it is not valid. @param value a whole document */
export function meaningOf(value: Json | undefined): JsonMap | undefined {
  if (!isMap(value) || typeof value['kind'] !== 'string') return undefined;
  const kind = kindOf(value['kind']);
  const meta = metadata.safeParse(value['metadata'] ?? {});
  const spec = kind?.spec.safeParse(value['spec'] ?? {});
  if (!kind || !meta.success || !spec?.success || value['apiVersion'] !== API_VERSION) return undefined;
  return toJson({ apiVersion: API_VERSION, kind: kind.kind, metadata: meta.data, spec: spec.data }) as JsonMap;
}

/** The values of a document that must not be shown. */
export function sensitiveIn(value: Json | undefined): string[] {
  const found: string[] = [];
  walkSensitive(value, (text) => {
    found.push(text);
    return text;
  });
  return found;
}

/** A document as it may be shown. */
export const masked = (value: Json): Json => walkSensitive(value, () => MASK);

/** Somebody who prints a resource and applies it again has masks where the values were: they mean the values there are. */
export function unmasked(value: Json, now: Json | undefined): Json {
  return walkSensitive(value, (text, path) => {
    if (text !== MASK) return text;
    const known = path.reduce<Json | undefined>(step, now);
    if (typeof known === 'string') return known;
    throw new SlipwayError(
      'invalid-value',
      `${formatPath(path)} is ${MASK}, which stands for a value that is not shown.`,
      {
        hint: 'Write the value itself or, better, a reference to a Secret.',
      },
    );
  });
}

/** Where there are no values to take in the places of masks: empty, and told where. */
export function blanked(value: Json): { readonly value: Json; readonly paths: readonly string[] } {
  const paths: string[] = [];
  const whole = walkSensitive(value, (text, path) => {
    if (text !== MASK) return text;
    paths.push(formatPath(path));
    return '';
  });
  return { value: whole, paths };
}

type Path = readonly (string | number)[];

function walkSensitive(value: Json | undefined, visit: (text: string, path: Path) => string): Json {
  const kind = isMap(value) && typeof value['kind'] === 'string' ? kindOf(value['kind']) : undefined;
  const walk = (current: Json, path: Path): Json => {
    if (typeof current === 'string' && path[0] === 'spec' && kind?.sensitive?.(path.slice(1)))
      return visit(current, path);
    if (isList(current)) return current.map((item, index) => walk(item, [...path, nameOf(item) ?? index]));
    if (!isMap(current)) return current;
    return Object.fromEntries(Object.entries(current).map(([key, item]) => [key, walk(item, [...path, key])]));
  };
  return walk(value ?? null, []);
}

function step(value: Json | undefined, key: string | number): Json | undefined {
  if (isList(value)) return typeof key === 'number' ? value[key] : value.find((item) => nameOf(item) === key);
  return isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
