/** mcpctl's servers, and the secrets that they name. */
import { objectOf, textsOf, type Drafts } from '../draft.ts';
import { programOf } from '../program.ts';
import { valueOf } from '../values.ts';
import type { Known } from './known.ts';

type Item = Record<string, unknown>;

/** No value is carried over: where it is to come from is. */
export function addSecrets(items: readonly Item[], drafts: Drafts): void {
  for (const { name, data } of items)
    for (const [key, value] of Object.entries(objectOf(data))) {
      const variable = drafts.variable(String(name), `${String(name)}_${key}`, String(value));
      drafts.secret(String(name), key, { env: variable });
      drafts.note(`Secret/${String(name)}`, `${key}: the value was left out; give it to Slipway as $${variable}`);
    }
}

export function addServers(items: readonly Item[], known: Known): void {
  for (const item of items) {
    const server = known.add('Server', String(item['name']), {});
    const { name } = server.metadata;
    const { drafts } = known;
    const { env, replicas } = item;
    server.spec = {
      ...programFields(drafts, `Server/${name}`, item),
      ...(Array.isArray(env) && env.length > 0
        ? { env: env.map((raw) => variableOf(drafts, name, objectOf(raw))) }
        : {}),
      ...(typeof replicas === 'number' && replicas > 1 ? { replicas } : {}),
    };
  }
}

const TRANSPORTS: Readonly<Record<string, string>> = { STDIO: 'stdio', SSE: 'sse', STREAMABLE_HTTP: 'http' };

/** What servers and templates have alike: what is run, and how it is spoken to. */
export function programFields(drafts: Drafts, about: string, item: Item): Item {
  const { description, transport, containerPort } = item;
  const kind = TRANSPORTS[String(transport)];
  const way = wayOf(drafts, about, item);
  return {
    ...(typeof description === 'string' ? { description } : {}),
    ...way,
    ...(kind === undefined || (kind === 'http' && 'url' in way) ? {} : { transport: kind }),
    ...(containerPort === undefined || kind === 'stdio' || 'url' in way ? {} : { http: { port: containerPort } }),
  };
}

function wayOf(drafts: Drafts, about: string, item: Item): Item {
  const { packageName, dockerImage, externalUrl } = item;
  const argv = textsOf(item['command']);
  if (externalUrl !== undefined) return { url: externalUrl };
  if (dockerImage !== undefined) return { image: dockerImage, ...(argv.length > 0 ? { args: argv } : {}) };
  const { spec, notes } = programOf(packageName === undefined ? argv : ['npx', '-y', String(packageName), ...argv]);
  for (const note of notes) drafts.note(about, note);
  return spec;
}

function variableOf(drafts: Drafts, owner: string, { name, value, valueFrom }: Item): unknown {
  if (valueFrom !== undefined) return { name, valueFrom };
  return { name, ...valueOf({ drafts, owner }, String(name), value) };
}
