/** lean-ctx's `team.json`: where a team server listens, what it bears, which folders it serves, and who may use it. */
import { canonicalRole, canonicalScope } from '../../schemas/access.ts';
import { objectOf, textsOf, type Drafts } from './draft.ts';

const LEFT_OUT = [
  'defaultWorkspaceId',
  'auditLogPath',
  'disableHostCheck',
  'statefulMode',
  'jsonResponse',
  'storageQuotaBytes',
  'roiWebhookUrl',
  'connectors',
] as const;

export function isTeam(root: Record<string, unknown>): boolean {
  return Array.isArray(root['tokens']) && root['port'] !== undefined;
}

export function fromTeam(root: Record<string, unknown>, drafts: Drafts): void {
  const { host = '127.0.0.1', port, allowedHosts, maxBodyBytes } = root;
  drafts.add('Gateway', 'main', {
    listen: `${String(host).includes(':') ? `[${String(host)}]` : String(host)}:${String(port)}`,
    ...(Array.isArray(allowedHosts) && allowedHosts.length > 0 ? { allowedHosts } : {}),
    ...(typeof maxBodyBytes === 'number' ? { maxBodySize: String(maxBodyBytes) } : {}),
    ...limitsOf(root),
  });
  for (const raw of listOf(root['workspaces'])) workspace(objectOf(raw), drafts);
  for (const raw of root['tokens'] as unknown[]) {
    const { id, sha256Hex, scopes, role } = objectOf(raw);
    const known = textsOf(scopes).flatMap((scope) => {
      const found = canonicalScope(scope);
      if (found === undefined) drafts.lose(`Token ${String(id)}`, `there is no scope ${scope}`);
      return found ?? [];
    });
    // Without either it would be a member here, and may do nothing there.
    if (typeof role !== 'string' && known.length === 0) {
      drafts.lose(`Token ${String(id)}`, 'was left out: nothing is left of what it may do');
      continue;
    }
    drafts.add('Token', String(id), {
      sha256: String(sha256Hex),
      ...(typeof role === 'string' ? { roles: [canonicalRole(role)] } : {}),
      ...(known.length > 0 ? { scopes: known } : {}),
    });
  }
  for (const field of LEFT_OUT) if (root[field] !== undefined) drafts.lose('Gateway/main', `${field} was left out`);
}

/** One bucket and one count for all together, as there. */
function limitsOf({ maxConcurrency, maxRps, rateBurst, requestTimeoutMs }: Record<string, unknown>): object {
  const limits = {
    ...(isNumber(maxRps) ? { rate: { perSecond: maxRps, ...(isNumber(rateBurst) ? { burst: rateBurst } : {}) } } : {}),
    ...(isNumber(maxConcurrency) ? { concurrency: maxConcurrency } : {}),
    ...(isNumber(requestTimeoutMs) ? { timeout: `${requestTimeoutMs}ms` } : {}),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** A folder of the host that the team server ran on. */
function workspace({ id, root, label, ...more }: Record<string, unknown>, drafts: Drafts): void {
  const name = String(id);
  if (typeof root !== 'string' || !root.startsWith('/'))
    return drafts.lose(`Workspace ${name}`, 'its root is no absolute path');
  const { kind, metadata } = drafts.add('Workspace', name, {
    ...(typeof label === 'string' ? { description: label } : {}),
    path: root,
  });
  for (const field of Object.keys(more)) drafts.lose(`${kind}/${metadata.name}`, `${field} was left out`);
}
