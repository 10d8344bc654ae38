/** What clients ask about tasks: it goes to the server that has the task, under the id which that gave it. */
import { toSlipwayError } from '../../schemas/errors.ts';
import { RPC, RpcFailure } from '../../schemas/jsonrpc.ts';
import { introduceAll, newTasksOf, oldTasksOf } from '../capabilities.ts';
import type { Call } from '../era/era.ts';
import type { Json } from '../rpc/json.ts';
import { begunIn, renamed } from '../../schemas/tasks.ts';
import { unknownTask } from '../sessions/tasks.ts';
import { fetchList, type Request } from '../upstream/fetch-list.ts';
import type { Server } from '../upstream/server.ts';
import { relay } from './relay.ts';

type Kind = 'legacy' | 'modern';

/** What lists them has the shape of any other list. */
const LIST = { method: 'tasks/list', field: 'tasks', key: 'taskId' } as const;

/** @returns what answers `tasks/get` and its like, for clients of one era */
export function aboutTask(kind: Kind): (call: Call) => Promise<Json> {
  return async (call) => {
    const { caller, request } = call;
    await introduceAll(caller.route);
    const { servers } = caller.route;
    const able = servers.filter((server) => (kind === 'legacy' ? oldTasksOf(server) : newTasksOf(server)));
    if (able.length === 0)
      throw new RpcFailure({ code: RPC.methodNotFound, message: `Method not found: ${request.method}` });
    const task = caller.state.tasks.find(caller.identity, request.params?.['taskId']);
    const server = able.find(({ name }) => name === task.server);
    if (!server) throw unknownTask();
    call.instance = task.instance;
    const brings = request.method === (kind === 'legacy' ? 'tasks/result' : 'tasks/get');
    const tool = brings ? caller.state.tasks.of(task)?.tool : undefined;
    const answer = await relay(call, server, { ...request.params, taskId: task.id }, { task: { brings, tool } });
    // What it has done by now may have changed what was read before.
    if (server.entry.cache) caller.state.results.void(server.name);
    return answer;
  };
}

/** `tasks/list` (MCP 2025-11-25): those of all servers, but only the caller's own. */
export async function listTasks(call: Call): Promise<Json> {
  const { route, state, identity } = call.caller;
  await introduceAll(route);
  const able = route.servers.filter((server) => oldTasksOf(server)?.['list']);
  if (able.length === 0) throw new RpcFailure({ code: RPC.methodNotFound, message: 'Method not found: tasks/list' });
  if (call.request.params?.['cursor'] !== undefined)
    throw new RpcFailure({ code: RPC.invalidParams, message: 'Unknown cursor' });
  const unavailable: Record<string, string> = {};
  const lists = able.flatMap((server) =>
    state.tasks.instances(identity, server.name).map((instance) =>
      listed(call, server, instance).catch((error: unknown) => {
        unavailable[server.name] = toSlipwayError(error).message;
        return [];
      }),
    ),
  );
  const tasks = (await Promise.all(lists)).flat();
  const _meta = Object.keys(unavailable).length > 0 ? { _meta: { 'slipway/unavailable': unavailable } } : {};
  return JSON.stringify({ tasks, ..._meta });
}

/** Those of the caller on one instance, which knows of no other's. */
async function listed(call: Call, server: Server, instance: string | undefined): Promise<object[]> {
  const { state, identity } = call.caller;
  const client = call.open(server, () => {});
  const request: Request = (method, params, options) =>
    server.request(method, params, { ...options, client, instance });
  try {
    const { items } = await fetchList(LIST, request, server.patience);
    const at = { server: server.name, instance };
    // Cross-client leak: a shared server lists everybody's.
    const own = items.filter(({ taskId }) => state.tasks.of({ ...at, id: String(taskId) })?.principal === identity.key);
    return own.map((task) => renamed(task, (id) => state.tasks.nameFor(identity, { ...at, id })));
  } finally {
    client.end();
  }
}

/** A server's result with the ids that its client knows. A task that it has begun is remembered. */
export function withTasks(call: Call, result: unknown, server: Server): Record<string, unknown> {
  const { instance, trace } = call;
  const { state, identity } = call.caller;
  const at = { server: server.name, instance };
  const begun = begunIn(result);
  if (begun !== undefined) state.tasks.begun(identity, { ...at, id: begun }, { client: call.id, tool: trace.tool });
  const nameOf = (id: string): string => state.tasks.nameFor(identity, { ...at, id });
  return renamed((result ?? {}) as Record<string, unknown>, nameOf);
}
