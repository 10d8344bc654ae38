/** What a new version's tools are compared with those of the version that serves: clients notice the difference. Pure. */
import canonicalize from 'canonicalize';
import type { Tool } from '../../schemas/snapshot.ts';

/** Names of tools. */
export interface SurfaceChange {
  readonly added: readonly string[];
  readonly lost: readonly string[];
  /** Those that are defined differently: another schema, another description. */
  readonly changed: readonly string[];
}

/** @returns `undefined` if the tools are the same */
export function compareSurfaces(before: readonly Tool[], after: readonly Tool[]): SurfaceChange | undefined {
  const old = new Map(before.map((tool) => [tool.name, tool]));
  const now = new Map(after.map((tool) => [tool.name, tool]));
  const added = [...now.keys()].filter((name) => !old.has(name));
  const lost = [...old.keys()].filter((name) => !now.has(name));
  const changed = [...now].flatMap(([name, tool]) => {
    const known = old.get(name);
    return known && canonicalize(known) !== canonicalize(tool) ? [name] : [];
  });
  return added.length + lost.length + changed.length === 0 ? undefined : { added, lost, changed };
}

/** `lost b, c; changed d`: what somebody who used the old version has to know. Empty if it is nothing. */
export function surfaceText({ lost, changed }: SurfaceChange): string {
  const parts = [
    ['lost', lost],
    ['changed', changed],
  ] as const;
  return parts.flatMap(([word, names]) => (names.length > 0 ? [`${word} ${names.join(', ')}`] : [])).join('; ');
}
