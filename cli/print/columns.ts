/** What tables show of kinds that are only read: fields of their spec, each told in a few words. */
import type { Resource } from '../../schemas/resource.ts';
import type { Table } from './table.ts';

/** Fields, by kind; a name of its own where the field's is not what people would look for. */
const FIELDS: Readonly<Record<string, readonly (string | readonly [head: string, field: string])[]>> = {
  Gateway: ['listen', ['public url', 'publicUrl']],
  Engine: ['host'],
  Server: ['replicas', 'description'],
  Project: ['servers', 'discovery', 'gate', 'pipeline', 'plugin'],
  Pipeline: [['applies to', 'appliesTo'], 'stages'],
  Plugin: ['file', 'hooks', 'extends'],
  Prompt: ['priority', 'projects', 'link', 'file'],
  LlmProvider: ['type', 'model', 'tier'],
  Budget: ['per', 'window', 'mode'],
  Token: ['roles', 'scopes', 'projects'],
  Policy: ['description'],
  Trust: ['mode', 'signers'],
  Backup: ['schedule', 'keep', 'workspaces'],
  Secret: [['keys', 'data'], 'encrypted'],
  User: ['email', 'subject'],
  Group: ['members', 'claims'],
  Role: ['operations', 'scopes', 'description'],
  RoleBinding: ['role', 'subjects', 'projects'],
  Overlay: ['environments', 'patches'],
  Template: ['params', 'description'],
};

/** As much of a value as is read in a table. */
const LONG = 40;

/** Of resources of one kind. */
export function columnTable(resources: readonly Resource[], isWide: boolean): Table {
  const fields = (FIELDS[resources[0]?.kind ?? ''] ?? []).map((field) =>
    typeof field === 'string' ? [field, field] : field,
  );
  const head = ['name', ...fields.map(([name = '']) => name), 'source', ...(isWide ? ['project', 'labels'] : [])];
  const rows = resources.map((resource) => {
    const spec = resource.spec as Readonly<Record<string, unknown>>;
    const cells = fields.map(([, field = '']) => cut(told(spec[field])));
    return [resource.metadata.name, ...cells, sourceOf(resource), ...(isWide ? belongings(resource) : [])];
  });
  return { head, rows };
}

export const sourceOf = ({ source: { file, line } }: Resource): string => `${file}:${line}`;

/** The project it is in, and its labels. */
export const belongings = ({ metadata: { project = '-', labels } }: Resource): [project: string, labels: string] => [
  project,
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',') || '-',
];

/** `Group/developers`, a name, a type; else the keys of a map. Never a value below a key: it may be one to hide. */
function told(value: unknown): string {
  if (Array.isArray(value)) return value.map(told).join(',') || '-';
  if (typeof value !== 'object' || value === null) return String(value ?? '-');
  const { kind, name, type, enabled } = value as Readonly<Record<string, unknown>>;
  if (typeof enabled === 'boolean') return enabled ? 'yes' : 'no';
  if (typeof name === 'string') return typeof kind === 'string' ? `${kind}/${name}` : name;
  return typeof type === 'string' ? type : Object.keys(value).join(',') || '-';
}

const cut = (text: string): string => (text.length > LONG ? `${text.slice(0, LONG - 1)}…` : text);
