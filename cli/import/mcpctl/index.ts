/** mcpctl's YAML: one document with plural keys, whose items carry their names. What cannot be carried over is told by name. */
import { objectOf, type Drafts } from '../draft.ts';
import { addAccess, addGroups, addUsers } from './access.ts';
import { addModels } from './models.ts';
import { Known } from './known.ts';
import { addProjects } from './projects.ts';
import { addPrompts } from './prompts.ts';
import { addSecrets, addServers } from './servers.ts';
import { addTemplates } from './templates.ts';

const KEYS = [
  'servers',
  'projects',
  'secrets',
  'users',
  'groups',
  'serverattachments',
  'prompts',
  'promptrequests',
  'templates',
  'rbac',
  'proxymodels',
] as const;

/** Fields of its items that no resource of ours has. */
const OWN_FIELDS = [
  'packageName',
  'dockerImage',
  'externalUrl',
  'proxyModel',
  'serverOverrides',
  'gated',
  'roleBindings',
  'linkTarget',
];
const OWN_KEYS: readonly string[] = ['serverattachments', 'promptrequests', 'proxymodels'];

export function isMcpctl(root: Record<string, unknown>): boolean {
  const keys = Object.keys(root);
  const known: readonly string[] = KEYS;
  if (keys.length === 0 || !keys.every((key) => known.includes(key) && Array.isArray(root[key]))) return false;
  // A list of servers alone could be lazy-mcp's.
  return keys.some((key) => key !== 'servers') || hasOwnFields(root);
}

/** Whether nothing but mcpctl's can be meant: lists under the names of kinds may be of our resources, too. */
export function isOnlyMcpctl(root: Record<string, unknown>): boolean {
  if (!isMcpctl(root)) return false;
  return Object.keys(root).some((key) => OWN_KEYS.includes(key)) || hasOwnFields(root);
}

const hasOwnFields = (root: Record<string, unknown>): boolean =>
  Object.values(root).some((items) => Array.isArray(items) && items.map(objectOf).some(isOwn));

/** Servers of ours have a transport, too, which is never in capitals. */
const isOwn = (item: Record<string, unknown>): boolean =>
  OWN_FIELDS.some((field) => field in item) || /^[A-Z_]+$/.test(String(item['transport'] ?? ''));

/** In an order in which each finds what it names. */
export function fromMcpctl(root: Record<string, unknown>, drafts: Drafts): void {
  const items = (key: (typeof KEYS)[number]): Record<string, unknown>[] =>
    Array.isArray(root[key]) ? root[key].map(objectOf) : [];
  const known = new Known(drafts);
  addSecrets(items('secrets'), drafts);
  addServers(items('servers'), known);
  addTemplates(items('templates'), drafts);
  addModels(items('proxymodels'), known);
  addProjects(items('projects'), items('serverattachments'), known);
  addUsers(items('users'), known);
  addGroups(items('groups'), known);
  addPrompts(items('prompts'), known);
  addAccess(items('rbac'), known);
  for (const { name, project } of items('promptrequests')) {
    const where = project === undefined ? '' : ` of ${String(project)}`;
    drafts.lose(
      `promptrequest ${String(name)}${where}`,
      'was left out: nobody has said yes to it; `slipway propose` it',
    );
  }
}
