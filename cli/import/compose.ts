/** A docker compose file: each service that is an MCP server's image. */
import { objectOf, textsOf, type Drafts } from './draft.ts';
import { valueOf } from './values.ts';

export function isCompose(root: Record<string, unknown>): boolean {
  return Object.values(objectOf(root['services'])).some((service) => objectOf(service)['image'] !== undefined);
}

const KNOWN = new Set([
  'image',
  'command',
  'entrypoint',
  'environment',
  'ports',
  'expose',
  'restart',
  'container_name',
  'stdin_open',
  'tty',
  'init',
  'depends_on',
  'labels',
  'pull_policy',
]);

export function fromCompose(root: Record<string, unknown>, drafts: Drafts): void {
  for (const [wanted, raw] of Object.entries(objectOf(root['services']))) {
    const service = objectOf(raw);
    if (service['image'] === undefined) {
      drafts.lose(wanted, 'has no image, and was left out: build one and push it');
      continue;
    }
    const server = drafts.add('Server', wanted, {});
    const { name } = server.metadata;
    const env = Object.entries(environmentOf(service['environment'])).map(([variable, value]) => ({
      name: variable,
      ...valueOf({ drafts, owner: name }, variable, value),
    }));
    const entrypoint = wordsOf(service['entrypoint']);
    const args = wordsOf(service['command']);
    const port = portOf(service);
    server.spec = {
      image: service['image'],
      ...(entrypoint.length > 0 ? { entrypoint } : {}),
      ...(args.length > 0 ? { args } : {}),
      ...(port === undefined ? {} : { transport: 'http', http: { port } }),
      ...(env.length > 0 ? { env } : {}),
    };
    const about = `Server/${name}`;
    for (const field of ['entrypoint', 'command'])
      if (typeof service[field] === 'string' && service[field].replaceAll(WORD, '').trim() !== '')
        drafts.lose(about, `${field} has a quote that is not closed: look at its words`);
    if (port !== undefined)
      drafts.note(about, `speaks MCP over HTTP on port ${port}, at /mcp; if not, change transport and http`);
    for (const field of Object.keys(service)) if (!KNOWN.has(field)) drafts.lose(about, `${field} was left out`);
  }
}

/** A map, or a list of `NAME=value`; a name alone is taken from the environment. */
function environmentOf(raw: unknown): Record<string, unknown> {
  if (!Array.isArray(raw)) return objectOf(raw);
  const pairs = textsOf(raw).map((text): [string, string] => {
    const [name = '', value] = text.split(/=(.*)/s, 2);
    return [name, value ?? `\${${name}}`];
  });
  return Object.fromEntries(pairs);
}

const WORD = /(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s\\"'])+/gs;

/** A list of words, or a text that Compose splits as a shell does (POSIX, XCU §2.2 "Quoting"). */
function wordsOf(raw: unknown): string[] {
  if (typeof raw !== 'string') return textsOf(raw);
  const words = raw.replaceAll(/\\\n/g, '').match(WORD) ?? [];
  return words.map((word) =>
    word.replaceAll(
      /\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs,
      (_whole, escaped?: string, double?: string, single?: string) =>
        escaped ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? '',
    ),
  );
}

/** The port inside: `8080:3000/tcp` → 3000. */
function portOf({ ports, expose }: Record<string, unknown>): number | undefined {
  const [first] = [...(Array.isArray(ports) ? ports : []), ...(Array.isArray(expose) ? expose : [])] as unknown[];
  const text = String(objectOf(first)['target'] ?? first ?? '');
  const port = Number(/(\d+)(?:\/tcp)?$/.exec(text)?.[1]);
  return Number.isInteger(port) ? port : undefined;
}
