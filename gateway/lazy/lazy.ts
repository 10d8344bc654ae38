/** `discovery: lazy`: a model asks for servers, then for their commands, then for how to call one (after lazy-mcp). */
import { suggest } from '../../schemas/suggest.ts';
import { callTool } from '../methods/tools-call.ts';
import type { Item } from '../upstream/listing.ts';
import type { Server } from '../upstream/server.ts';
import { isAway } from './monitor.ts';
import { answered, brief, innerOf, mistaken, textAt, textsAt, type Front, type OwnTool } from '../own/own-tool.ts';

const READ = { readOnlyHint: true };
const TEXTS = { type: 'array', items: { type: 'string' } };

const listServers: OwnTool = {
  name: 'list_servers',
  define: (front) => ({
    name: 'list_servers',
    description: `Lists the MCP servers that are here: what each is for, and how it does.${summary(front)}`,
    inputSchema: { type: 'object', properties: {} },
    annotations: READ,
  }),
  run: async (call, _args, { view }) =>
    answered(call, {
      revision: call.caller.generation.snapshot.commit,
      servers: view.servers.map((server) => ({
        name: server.name,
        ...healthOf(server),
        ...partOf(server.entry, 'description'),
        ...partOf(server.entry, 'tags'),
        ...partOf(server.entry, 'examples'),
      })),
    }),
};

function partOf<K extends 'description' | 'tags' | 'examples'>(
  entry: Server['entry'],
  key: K,
): Record<string, unknown> {
  return entry[key] === undefined ? {} : { [key]: entry[key] };
}

/** What is known without asking: a look at the list wakes nobody. */
function healthOf(server: Server): Record<string, unknown> {
  const state = server.state('tools');
  if (!state) return { status: 'unknown' };
  if (state.items && isAway(server)) {
    const said = server.upstreams.find(({ status }) => status.lastError !== undefined)?.status.lastError;
    return { status: 'unhealthy', commands: state.items.length, error: brief(said ?? 'It cannot be reached.', 300) };
  }
  if (state.items) return { status: 'healthy', commands: state.items.length };
  return state.locked ? { status: 'needs-authorization' } : { status: 'unhealthy', error: brief(state.failure, 300) };
}

function summary({ view, route }: Front): string {
  const summaries = route.discovery?.summaries;
  if (summaries === undefined || view.servers.length === 0) return '';
  const lines = view.servers
    .slice(0, summaries)
    .map(({ name, entry }) => `\n- ${name}${entry.description === undefined ? '' : `: ${brief(entry.description)}`}`);
  const more = view.servers.length - lines.length;
  return `\nServers:${lines.join('')}${more > 0 ? `\n- and ${more} more` : ''}`;
}

const listCommands: OwnTool = {
  name: 'list_commands',
  define: () => ({
    name: 'list_commands',
    description: 'Lists the commands of servers, each with a line about it. Without servers: of all.',
    inputSchema: { type: 'object', properties: { servers: { ...TEXTS, description: 'Names from list_servers.' } } },
    annotations: READ,
  }),
  async run(call, args, front) {
    const names = textsAt(args, 'servers', 'server', 'server_name');
    const { servers } = front.view;
    const found = names.length === 0 ? servers : servers.filter(({ name }) => names.includes(name));
    const unknown = names.filter((name) => !servers.some((server) => server.name === name));
    await Promise.all(found.map((server) => server.load('tools')));
    const lists = found.map((server) => [server.name, commandsOf(server, front)] as const);
    const missing = unknown.map((name) => [name, { error: noServer(name, front) }] as const);
    return answered(call, Object.fromEntries([...lists, ...missing]));
  },
};

function commandsOf(server: Server, front: Front): Record<string, unknown> {
  const commands = itemsOf(server, front).map(([name, item]) => ({ name, description: brief(item['description']) }));
  const state = server.state('tools');
  if (state && !state.items && commands.length === 0) return { error: state.failure };
  return { ...(server.instructions === undefined ? {} : { instructions: server.instructions }), commands };
}

/** Those that the caller may use, by their names without what stands before them. */
function itemsOf(server: Server, { view }: Front): [string, Item][] {
  const { tools } = view.catalogs;
  const { length } = tools.prefixOf(server);
  return [...tools.targets].flatMap(([key, target]): [string, Item][] => {
    const name = key.slice(length);
    return target.server === server ? [[name, { ...target.shown, name }]] : [];
  });
}

const describeCommands: OwnTool = {
  name: 'describe_commands',
  define: () => ({
    name: 'describe_commands',
    description: 'Tells how to call commands of a server: their input schemas.',
    inputSchema: {
      type: 'object',
      properties: { server: { type: 'string' }, command_names: TEXTS },
      required: ['server', 'command_names'],
    },
    annotations: READ,
  }),
  async run(call, args, front) {
    const name = textAt(args, 'server', 'server_name');
    const server = front.view.servers.find((one) => one.name === name);
    if (!server) return mistaken(call, noServer(name, front));
    const wanted = textsAt(args, 'command_names', 'commands', 'command_name', 'command');
    if (wanted.length === 0) return mistaken(call, 'Name the commands in command_names; list_commands tells them.');
    await server.load('tools');
    const known = new Map(itemsOf(server, front));
    const prefix = front.view.catalogs.tools.prefixOf(server);
    const commands = wanted.map((given) => {
      const item = known.get(given) ?? known.get(given.startsWith(prefix) ? given.slice(prefix.length) : given);
      return item ?? { name: given, error: noCommand(given, server, front) };
    });
    return answered(call, { commands });
  },
};

const OWN = ['server', 'server_name', 'command_name', 'command', 'tool'];
const INNER = ['parameters', 'arguments', 'args', 'params', 'input'];

const invokeCommand: OwnTool = {
  name: 'invoke_command',
  define: () => ({
    name: 'invoke_command',
    description: 'Runs a command of a server. describe_commands tells which parameters it takes.',
    inputSchema: {
      type: 'object',
      properties: { server: { type: 'string' }, command_name: { type: 'string' }, parameters: { type: 'object' } },
      required: ['server', 'command_name'],
    },
  }),
  async run(call, args, front) {
    const { view } = front;
    const command = textAt(args, 'command_name', 'command', 'tool');
    if (command === undefined) return mistaken(call, 'Name the command in command_name; list_commands tells them.');
    const name = textAt(args, 'server', 'server_name');
    const server =
      [...view.servers, ...view.closed].find((one) => one.name === name) ??
      (name === undefined
        ? view.servers.find((one) => command.startsWith(view.catalogs.tools.prefixOf(one)))
        : undefined);
    if (!server) return mistaken(call, noServer(name, front));
    const inner = innerOf(args, INNER, OWN);
    if (typeof inner === 'string') return mistaken(call, inner);
    const prefix = view.catalogs.tools.prefixOf(server);
    const own = prefix !== '' && command.startsWith(prefix) ? command.slice(prefix.length) : command;
    return callTool(call, prefix + own, inner, () => mistaken(call, noCommand(own, server, front)));
  },
};

function noServer(name: string | undefined, { view }: Front): string {
  if (name === undefined) return 'Name the server; list_servers tells them.';
  const nearest = suggest(
    name,
    view.servers.map((server) => server.name),
  );
  return `There is no server ${brief(name)}.${nearest === undefined ? ' See list_servers.' : ` Did you mean ${nearest}?`}`;
}

function noCommand(name: string, server: Server, front: Front): string {
  const nearest = suggest(
    name,
    itemsOf(server, front).map(([own]) => own),
  );
  const hint = nearest === undefined ? ' See list_commands.' : ` Did you mean ${nearest}?`;
  return `${server.name} has no command ${brief(name)}.${hint}`;
}

export const LAZY: readonly OwnTool[] = [listServers, listCommands, describeCommands, invokeCommand];
