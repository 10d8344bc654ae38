/** How scripts call tools: `tools.<server>.<tool>`, in which what is no identifier may be written as one. */
import type { Catalog, Target } from '../catalog.ts';
import type { Front } from '../own/own-tool.ts';

const identifier = (name: string): string => name.replaceAll(/[^A-Za-z0-9_$]/g, '_');

const isCalled = (name: string, given: string): boolean => name === given || identifier(name) === given;

/** `tools.github.createIssue`. */
export function expressionOf(key: string, { server }: Target, catalog: Catalog): string {
  return `tools.${identifier(server.name)}.${identifier(key.slice(catalog.prefixOf(server).length))}`;
}

/** What clients of the route call it. A name that nothing has comes back as it would be: what is said of it is said elsewhere. */
export async function nameFor(
  { view }: Front,
  { name, server, tool }: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const { tools } = view.catalogs;
  await tools.load();
  if (typeof name === 'string') {
    const written = tools.targets.has(name) ? name : [...tools.targets.keys()].find((key) => isCalled(key, name));
    return written ?? name;
  }
  if (typeof server !== 'string' || typeof tool !== 'string') return undefined;
  const there = [...view.servers, ...view.closed].find((one) => isCalled(one.name, server));
  if (!there) return `${server}.${tool}`;
  const prefix = tools.prefixOf(there);
  const found = [...tools.targets].find(
    ([key, target]) =>
      target.server === there && (isCalled(key.slice(prefix.length), tool) || isCalled(target.name, tool)),
  );
  return found?.[0] ?? prefix + tool;
}
