import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { SlipwayError } from '../../schemas/errors.ts';
import { name as nameSchema } from '../../schemas/kinds/fields.ts';
import { suggest } from '../../schemas/suggest.ts';
import { CLIENTS, placeOf, type ClientRow, type Entry } from '../clients/clients.ts';
import { mergeJson, mergeToml } from '../clients/merge.ts';
import { text, type Command, type Options } from '../command.ts';

export const command: Command = {
  summary: 'print or write what an MCP client needs to use the gateway',
  usage: '<client>',
  options: [
    { flags: '-p, --project <project>', description: 'the project’s route (default: every server)' },
    { flags: '--server-url <url>', description: 'a gateway elsewhere (default: the one on this machine)' },
    {
      flags: '--http',
      description: 'let the client speak HTTP itself; needs --server-url, and a client that can log in',
    },
    { flags: '--name <name>', description: 'what the client calls it (default: slipway, or slipway-<project>)' },
    { flags: '--command <program>', description: 'the program to start', default: 'slipway' },
    { flags: '--write', description: 'merge it into the client’s own file' },
    { flags: '--file <file>', description: 'that file, if it is not where the client usually has it' },
  ],
  examples: [
    'slipway client-config claude --project dev',
    'slipway client-config codex --project dev --server-url https://mcp.example.com --write',
    'slipway client-config vscode --server-url https://mcp.example.com --http',
  ],

  async run({ args: [client = ''], options, io }) {
    const row = rowOf(client);
    const project = text(options, 'project');
    if (project !== undefined && !nameSchema.safeParse(project).success)
      throw new SlipwayError('usage', `${project} is no name of a project.`);
    const name = text(options, 'name') ?? (project === undefined ? 'slipway' : `slipway-${project}`);
    const path = [...row.at, name];
    const value = row.shape(entryOf(options, project));
    const merge = row.format === 'json' ? mergeJson : mergeToml;
    const file = text(options, 'file') ?? row.file(placeOf(io.cwd, io.env));
    if (options['write'] !== true) {
      io.out(merge('', path, value).trimEnd());
      io.err(`This belongs into ${file}; --write puts it there.`);
      return 0;
    }
    const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
    const after = naming(file, () => merge(before, path, value));
    if (after !== before) replace(file, after);
    io.err(
      `${after === before ? 'Nothing to change in' : 'Wrote'} ${relative(io.cwd, file) || file} for ${row.title}.`,
    );
    return 0;
  },
};

/** Which file it is that cannot be merged into. */
function naming<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    throw new SlipwayError(error.code, `${file}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function rowOf(client: string): ClientRow {
  const row = Object.hasOwn(CLIENTS, client) ? CLIENTS[client] : undefined;
  if (row) return row;
  const nearest = suggest(client, Object.keys(CLIENTS));
  throw new SlipwayError('usage', `There is no client ${client}${nearest ? `; did you mean ${nearest}?` : '.'}`, {
    hint: `One of ${Object.keys(CLIENTS).join(', ')}.`,
  });
}

/** A token never stands there: such files are committed. `slipway connect` finds it where `slipway login` put it. */
function entryOf(options: Options, project: string | undefined): Entry {
  const serverUrl = text(options, 'serverUrl');
  if (serverUrl !== undefined && !/^https?:$/.test(URL.canParse(serverUrl) ? new URL(serverUrl).protocol : ''))
    throw new SlipwayError('usage', `--server-url ${serverUrl} is no URL.`);
  if (options['http'] === true) {
    if (serverUrl === undefined) throw new SlipwayError('usage', '--http needs --server-url.');
    const route = project === undefined ? '/mcp' : `/projects/${project}/mcp`;
    return { url: serverUrl.replace(/\/+$/, '') + route };
  }
  const args = [
    'connect',
    ...(project === undefined ? [] : ['--project', project]),
    ...(serverUrl === undefined ? [] : ['--server-url', serverUrl]),
  ];
  return { command: text(options, 'command') ?? 'slipway', args };
}

/** By rename, so that a client never reads half a file; through a link to where the file really is, with its mode. */
function replace(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const target = existsSync(file) ? realpathSync(file) : file;
  const mode = existsSync(target) ? statSync(target).mode & 0o777 : 0o644;
  // A rename would not ask; whoever took the right to write away meant it.
  if ((mode & 0o200) === 0)
    throw new SlipwayError('forbidden', `${file} is read-only; nothing was written.`, {
      hint: 'Allow it with chmod u+w, or put in what the command prints without --write.',
    });
  const temporary = `${target}.${process.pid}.tmp`;
  writeFileSync(temporary, content, { mode, flag: 'wx' });
  renameSync(temporary, target);
}
