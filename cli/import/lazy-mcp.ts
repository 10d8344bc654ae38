/** lazy-mcp's `servers.json`: a list of servers, and rules for tools. */
import { objectOf, slug, type Drafts } from './draft.ts';
import { serverOf } from './server.ts';

/** What the gateway has no setting for, or sets by itself. */
const LEFT_OUT = ['transport', 'logging', 'healthMonitor', 'embedServerSummaries'] as const;
const OWN_FIELDS = new Set(['permissions', 'tags', 'examples']);

export function isLazyMcp(root: Record<string, unknown>): boolean {
  return (
    Array.isArray(root['servers']) && root['servers'].every((server) => typeof objectOf(server)['name'] === 'string')
  );
}

export function fromLazyMcp(root: Record<string, unknown>, drafts: Drafts): void {
  for (const raw of root['servers'] as unknown[]) {
    const entry = objectOf(raw);
    const own = Object.fromEntries(Object.entries(entry).filter(([field]) => !OWN_FIELDS.has(field)));
    const permissions = permissionsOf(entry['permissions']);
    const timeout = root['requestTimeout'];
    const server = serverOf(
      drafts,
      String(entry['name']),
      { ...(timeout === undefined ? {} : { requestTimeout: timeout }), ...own },
      { ...(permissions ? { spec: { permissions } } : {}), ...labelsOf(entry['tags']) },
    );
    if (server && entry['examples'] !== undefined)
      drafts.lose(`Server/${server.metadata.name}`, 'examples were left out');
  }
  const permissions = permissionsOf(root['permissions']);
  if (permissions) drafts.add('Gateway', 'main', { permissions });
  for (const field of LEFT_OUT) if (root[field] !== undefined) drafts.lose('Gateway/main', `${field} was left out`);
}

/** Rules mean the same here, in the same order; an unknown action is refused by the check of the result. */
function permissionsOf(raw: unknown): Record<string, unknown> | undefined {
  if (raw === undefined) return undefined;
  const { rules, default: fallback } = objectOf(raw);
  return { ...(rules === undefined ? {} : { rules }), ...(fallback === undefined ? {} : { default: fallback }) };
}

function labelsOf(tags: unknown): { labels?: Record<string, string> } {
  if (!Array.isArray(tags) || tags.length === 0) return {};
  return { labels: Object.fromEntries(tags.map((tag) => [slug(String(tag)), 'true'])) };
}
