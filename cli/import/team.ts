/** lean-ctx's `team.json`: where a team server listens, and who may use it. */
import { canonicalRole, canonicalScope } from '../../schemas/access.ts';
import { objectOf, textsOf, type Drafts } from './draft.ts';

const LEFT_OUT = [
  'workspaces',
  'defaultWorkspaceId',
  'auditLogPath',
  'disableHostCheck',
  'statefulMode',
  'jsonResponse',
  'maxConcurrency',
  'maxRps',
  'rateBurst',
  'requestTimeoutMs',
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
  });
  for (const raw of root['tokens'] as unknown[]) {
    const { id, sha256Hex, scopes, role } = objectOf(raw);
    const known = textsOf(scopes).flatMap((scope) => {
      const found = canonicalScope(scope);
      if (found === undefined) drafts.lose(`Token ${String(id)}`, `there is no scope ${scope}`);
      return found ?? [];
    });
    drafts.add('Token', String(id), {
      sha256: String(sha256Hex),
      ...(typeof role === 'string' ? { roles: [canonicalRole(role)] } : {}),
      ...(known.length > 0 ? { scopes: known } : {}),
    });
  }
  for (const field of LEFT_OUT) if (root[field] !== undefined) drafts.lose('Gateway/main', `${field} was left out`);
}
