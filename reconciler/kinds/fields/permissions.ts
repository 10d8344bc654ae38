/** Rules on tools, each with the place where it is written. */
import type { Access, Cited, Permissions } from '../../../schemas/access.ts';
import type { PermissionsSpec } from '../../../schemas/kinds/fields/permissions.ts';
import { formatPath, originOf, type Resource } from '../../../schemas/resource.ts';

/** Where a field of a resource stands; where the resource stands, if that was not noted. */
export function cite(resource: Resource, ...path: readonly (string | number)[]): Cited {
  const { source, lines } = resource;
  const origin = originOf(resource, formatPath(['spec', ...path]));
  if (origin) return { file: origin.file, line: origin.line };
  return { file: source.file, line: lines?.[formatPath(path)] ?? source.line };
}

/** @param spec absent, or without anything said: `undefined` */
export function permissionsOf(resource: Resource, spec: PermissionsSpec | undefined): Permissions | undefined {
  if (!spec) return undefined;
  return {
    rules: spec.rules.map((rule, index) => ruleOf(rule, cite(resource, 'permissions', 'rules', index))),
    ...(spec.default === undefined ? {} : { default: spec.default }),
    ...(spec.readOnly ? { readOnly: true } : {}),
    ...cite(resource, 'permissions'),
  };
}

export function ruleOf(
  { server, message, ...rule }: PermissionsSpec['rules'][number],
  place: Cited,
): Access['floor'][number] {
  return {
    ...rule,
    ...(server === undefined ? {} : { server }),
    ...(message === undefined ? {} : { message }),
    ...place,
  };
}
