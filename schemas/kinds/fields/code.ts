/** Code of the config repo runs only where a Policy says so: whoever may change a resource must not thereby be able to run theirs. */
import { z } from 'zod';
import { CACHE_SCOPES } from '../../code-questions.ts';
import { glob } from '../../glob.ts';
import type { Resource } from '../../resource.ts';
import type { All, Problem } from '../kind.ts';

/** What code may do besides: fields of a Plugin, and of a stage that is a module. */
export const codeFields = {
  llm: z
    .boolean()
    .optional()
    .describe(
      'Whether it may ask the model of the route (ctx.llm): it costs, and tells that model. A Policy must allow it.',
    ),
  cache: z
    .enum(CACHE_SCOPES)
    .optional()
    .describe(
      'Whose ctx.cache is: each caller’s own (principal, if nothing is said), or one for all callers of the route. What is made of somebody’s data must not be in that.',
    ),
};

/** A Policy, as far as it is about code. */
interface Allowing {
  readonly code: readonly string[];
  readonly plugins: readonly string[];
  readonly llm: readonly string[];
}

const WHAT: Readonly<Record<keyof Allowing, string>> = {
  code: 'run code of the config repo',
  plugins: 'run code of the config repo',
  llm: 'ask language models',
};

/** @param field of Policies that lists such resources by name @param path of what names the code @returns none where it is allowed */
export function unallowed(
  resource: Resource,
  { all, field, path }: { all: All; field: keyof Allowing; path: Problem['path'] },
): Problem[] {
  const { kind, metadata } = resource;
  const policies = all('Policy').map(({ spec }) => spec as Allowing);
  if (policies.some((policy) => policy[field].some((allowed) => glob(allowed)(metadata.name)))) return [];
  const message = `No Policy lets the ${kind} ${metadata.name} ${WHAT[field]}.`;
  const hint = `Name it in spec.${field} of a Policy, and have that reviewed.`;
  return [{ resource, path, code: 'code-not-allowed', message, hint }];
}
