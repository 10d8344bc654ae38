/** mcpctl's YAML: one document with plural keys, whose items carry their names. */
import { objectOf, textsOf, type Drafts } from './draft.ts';
import { programOf } from './program.ts';
import { valueOf } from './values.ts';

const KEYS = ['servers', 'projects', 'secrets', 'users', 'groups'] as const;
const LEFT_OUT = ['serverattachments', 'prompts', 'promptrequests', 'templates', 'rbac', 'proxymodels'] as const;

export function isMcpctl(root: Record<string, unknown>): boolean {
  const keys = Object.keys(root);
  const known: readonly string[] = [...KEYS, ...LEFT_OUT];
  if (keys.length === 0 || !keys.every((key) => known.includes(key) && Array.isArray(root[key]))) return false;
  // A list of servers alone could be lazy-mcp's.
  return keys.some((key) => key !== 'servers') || (root['servers'] as unknown[]).some(isOwn);
}

function isOwn(raw: unknown): boolean {
  const server = objectOf(raw);
  return ['packageName', 'dockerImage', 'externalUrl', 'transport'].some((field) => server[field] !== undefined);
}

export function fromMcpctl(root: Record<string, unknown>, drafts: Drafts): void {
  const items = (key: string): Record<string, unknown>[] => (Array.isArray(root[key]) ? root[key].map(objectOf) : []);
  for (const { name, data } of items('secrets'))
    for (const [key, value] of Object.entries(objectOf(data))) {
      const variable = drafts.variable(String(name), `${String(name)}_${key}`, String(value));
      drafts.secret(String(name), key, { env: variable });
      drafts.note(`Secret/${String(name)}`, `${key}: the value was left out; give it to Slipway as $${variable}`);
    }
  const names = new Map<string, string>();
  for (const item of items('servers')) names.set(String(item['name']), serverFrom(drafts, item));
  for (const attachment of items('serverattachments')) {
    const project = items('projects').find(({ name }) => name === attachment['project']);
    if (project) project['servers'] = [...textsOf(project['servers']), String(attachment['server'])];
  }
  for (const { name, description, servers } of items('projects'))
    drafts.add('Project', String(name), {
      ...(typeof description === 'string' ? { description } : {}),
      servers: [...new Set(textsOf(servers).flatMap((server) => names.get(server) ?? []))],
    });
  for (const { name, email } of items('users'))
    drafts.add('User', String(name ?? email), { email: String(email ?? name) });
  for (const { name, members } of items('groups')) {
    drafts.add('Group', String(name), {});
    if (textsOf(members).length > 0) drafts.lose(`Group/${String(name)}`, 'members were left out: name the Users');
  }
  for (const key of LEFT_OUT)
    if (key !== 'serverattachments' && root[key] !== undefined) drafts.lose(key, 'were left out');
}

const TRANSPORTS: Readonly<Record<string, string>> = { STDIO: 'stdio', SSE: 'sse', STREAMABLE_HTTP: 'http' };

function serverFrom(drafts: Drafts, item: Record<string, unknown>): string {
  const { name: wanted, description, transport, env, replicas, containerPort } = item;
  const server = drafts.add('Server', String(wanted), {});
  const { name } = server.metadata;
  const kind = TRANSPORTS[String(transport)];
  const way = wayOf(drafts, `Server/${name}`, item);
  server.spec = {
    ...(typeof description === 'string' ? { description } : {}),
    ...way,
    ...(kind === undefined || (kind === 'http' && 'url' in way) ? {} : { transport: kind }),
    ...(containerPort === undefined || kind === 'stdio' || 'url' in way ? {} : { http: { port: containerPort } }),
    ...(Array.isArray(env) && env.length > 0 ? { env: env.map((raw) => variableOf(drafts, name, objectOf(raw))) } : {}),
    ...(typeof replicas === 'number' && replicas > 1 ? { replicas } : {}),
  };
  return name;
}

function wayOf(drafts: Drafts, about: string, item: Record<string, unknown>): Record<string, unknown> {
  const { packageName, dockerImage, externalUrl } = item;
  const argv = textsOf(item['command']);
  if (externalUrl !== undefined) return { url: externalUrl };
  if (dockerImage !== undefined) return { image: dockerImage, ...(argv.length > 0 ? { args: argv } : {}) };
  const { spec, notes } = programOf(packageName === undefined ? argv : ['npx', '-y', String(packageName), ...argv]);
  for (const note of notes) drafts.note(about, note);
  return spec;
}

function variableOf(drafts: Drafts, owner: string, { name, value, valueFrom }: Record<string, unknown>): unknown {
  if (valueFrom !== undefined) return { name, valueFrom };
  return { name, ...valueOf({ drafts, owner }, String(name), value) };
}
