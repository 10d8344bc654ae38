/** One server as MCP clients write it down → a Server. */
import { objectOf, textsOf, type Draft, type Drafts } from './draft.ts';
import { hideArguments } from './hide.ts';
import { programOf } from './program.ts';
import { authOf, valueOf } from './values.ts';

/** Fields of clients' entries that are carried over, or mean nothing here. All others are told. */
const KNOWN = new Set([
  'command',
  'args',
  'env',
  'environment',
  'url',
  'httpUrl',
  'serverUrl',
  'headers',
  'http_headers',
  'env_http_headers',
  'bearer_token_env_var',
  'type',
  'transport',
  'disabled',
  'enabled',
  'description',
  'name',
  'timeout',
  'requestTimeout',
  'cwd',
  'oauth',
  'envFile',
]);

export interface Extra {
  readonly spec?: Record<string, unknown>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** @returns the Server, or nothing if it was left out */
export function serverOf(drafts: Drafts, wanted: string, raw: unknown, extra: Extra = {}): Draft | undefined {
  const entry = objectOf(raw);
  if (entry['disabled'] === true || entry['enabled'] === false) {
    drafts.lose(wanted, 'was switched off, and was left out');
    return undefined;
  }
  const server = drafts.add('Server', wanted, {}, extra.labels);
  const { name } = server.metadata;
  server.spec = { ...specOf(drafts, name, entry), ...extra.spec };
  for (const field of Object.keys(entry))
    if (!KNOWN.has(field))
      drafts.lose(`Server/${name}`, `${field} was left out: it is for the client, or means nothing here`);
  return server;
}

function specOf(drafts: Drafts, name: string, entry: Record<string, unknown>): Record<string, unknown> {
  const description = entry['description'];
  const common = {
    ...(typeof description === 'string' && description !== '' ? { description } : {}),
    ...timeoutOf(entry),
  };
  const url = entry['url'] ?? entry['httpUrl'] ?? entry['serverUrl'];
  return {
    ...common,
    ...(typeof url === 'string' ? remoteOf(drafts, name, url, entry) : localOf(drafts, name, entry)),
  };
}

/** Milliseconds almost everywhere; below one second, somebody meant seconds. */
function timeoutOf(entry: Record<string, unknown>): Record<string, unknown> {
  const value = entry['requestTimeout'] ?? entry['timeout'];
  if (typeof value !== 'number' || !(value > 0)) return {};
  return { timeout: value < 1000 ? `${Math.ceil(value)}s` : `${Math.ceil(value)}ms` };
}

function remoteOf(drafts: Drafts, name: string, url: string, entry: Record<string, unknown>): Record<string, unknown> {
  const about = `Server/${name}`;
  const named = { drafts, owner: name };
  const fromEnv = Object.entries(objectOf(entry['env_http_headers'])).map(([header, variable]) => [
    header,
    `\${${String(variable)}}`,
  ]);
  const bearer = entry['bearer_token_env_var'];
  const headers = {
    ...objectOf(entry['headers'] ?? entry['http_headers']),
    ...(Object.fromEntries(fromEnv) as Record<string, unknown>),
    ...(typeof bearer === 'string' ? { Authorization: `Bearer \${${bearer}}` } : {}),
  };
  const auth = oauthOf(drafts, name, entry['oauth']) ?? authOf(named, headers);
  const type = String(entry['type'] ?? entry['transport'] ?? '').toLowerCase();
  if (/\$\{/.test(url)) drafts.note(about, 'its url holds a variable; write the address itself');
  const { hostname } = URL.canParse(url) ? new URL(url) : { hostname: '' };
  const near = /^(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|\[)|\.(local|internal|lan)$/.test(hostname);
  if (near) drafts.note(about, `${hostname} is private: privateNetwork allows it`);
  return {
    url,
    ...(type === 'sse' ? { transport: 'sse' } : {}),
    ...(near ? { privateNetwork: true } : {}),
    ...(auth ? { auth } : {}),
  };
}

/** lazy-mcp's `oauth`: an empty object means that there is one. */
function oauthOf(drafts: Drafts, name: string, raw: unknown): Record<string, unknown> | undefined {
  if (raw === undefined || raw === false) return undefined;
  const { clientId, clientSecret, scopes } = objectOf(raw);
  const variable = clientSecret === undefined ? '' : drafts.variable(name, 'CLIENT_SECRET', String(clientSecret));
  const secret = variable === '' ? {} : { clientSecret: drafts.secret(name, 'clientSecret', { env: variable }) };
  if (variable !== '')
    drafts.note(`Server/${name}`, `the client’s secret was left out; give it to Slipway as $${variable}`);
  return {
    oauth: {
      ...(typeof clientId === 'string' ? { clientId, ...secret } : {}),
      ...(Array.isArray(scopes) ? { scopes } : {}),
    },
  };
}

function localOf(drafts: Drafts, name: string, entry: Record<string, unknown>): Record<string, unknown> {
  const about = `Server/${name}`;
  const { command, args } = entry;
  const argv = Array.isArray(command)
    ? [...textsOf(command), ...textsOf(args)]
    : [String(command ?? ''), ...textsOf(args)];
  const { spec, env: given, notes, lost } = programOf(argv.filter((word, at) => at > 0 || word !== ''));
  for (const note of notes) drafts.note(about, note);
  for (const loss of lost) drafts.lose(about, loss);
  if (entry['cwd'] !== undefined)
    drafts.lose(about, `cwd ${String(entry['cwd'])} was left out: each instance has a directory of its own`);
  if (entry['envFile'] !== undefined)
    drafts.lose(about, `envFile ${String(entry['envFile'])} was left out: make a Secret of it`);
  const variables = { ...given, ...objectOf(entry['env'] ?? entry['environment']) };
  const env = Object.entries(variables).map(([variable, value]) => ({
    name: variable,
    ...valueOf({ drafts, owner: name }, variable, value),
  }));
  for (const word of hideArguments(argv))
    if (/\$\{[^}]+\}/.test(word))
      drafts.note(about, `${word} holds a variable; arguments are taken as they are, so use env`);
  return { ...spec, ...(env.length > 0 ? { env } : {}) };
}
