/** Code of the config repo runs only where a Policy says so: whoever may change a resource must not thereby be able to run theirs. */
import { glob } from '../../glob.ts';
import type { Resource } from '../../resource.ts';
import type { All, Problem } from '../kind.ts';

/** A Policy, as far as it is about code. */
interface Allowing {
  readonly code: readonly string[];
  readonly plugins: readonly string[];
}

/** @param field of Policies that lists such resources by name @param path of what names the code @returns none where it is allowed */
export function unallowed(
  resource: Resource,
  { all, field, path }: { all: All; field: keyof Allowing; path: Problem['path'] },
): Problem[] {
  const { kind, metadata } = resource;
  const policies = all('Policy').map(({ spec }) => spec as Allowing);
  if (policies.some((policy) => policy[field].some((allowed) => glob(allowed)(metadata.name)))) return [];
  const message = `No Policy lets the ${kind} ${metadata.name} run code of the config repo.`;
  const hint = `Name it in spec.${field} of a Policy, and have that reviewed.`;
  return [{ resource, path, code: 'code-not-allowed', message, hint }];
}
