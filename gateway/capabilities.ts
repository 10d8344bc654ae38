/** What a route can do: all that its servers can. */
import { TASKS } from '../schemas/modern.ts';
import type { RouteView } from './route-view.ts';
import type { Capabilities } from './upstream/known.ts';
import type { Server } from './upstream/server.ts';

/** Waits, but not for long, for servers of which nothing is known. */
export async function introduceAll({ servers }: RouteView): Promise<void> {
  const strangers = servers.filter((server) => server.capabilities === undefined);
  if (strangers.length > 0) await Promise.all(strangers.map((server) => server.introduce()));
}

/** @returns whether a server of the route has it, or the gateway itself */
export function has({ servers, prompts }: RouteView, capability: string): boolean {
  if (capability === 'prompts' && prompts) return true;
  return servers.some((server) => server.capabilities?.[capability] !== undefined);
}

/** What a server up to MCP 2025-11-25 can do with tasks. Those of 2026-07-28 are something else. */
export const oldTasksOf = ({ era, capabilities }: Server): Capabilities[string] =>
  era === 'modern' ? undefined : capabilities?.['tasks'];

/** Whether it has the tasks that are an extension since 2026-07-28. */
export const newTasksOf = ({ capabilities }: Server): boolean => capabilities?.['extensions']?.[TASKS] !== undefined;

/** For `server/discover`: tasks are an extension there. */
export function modernCapabilitiesOf(route: RouteView): Capabilities {
  const { tasks: _, ...rest } = capabilitiesOf(route);
  return route.servers.some(newTasksOf) ? { ...rest, extensions: { ...rest['extensions'], [TASKS]: {} } } : rest;
}

/** For `initialize`. Lists can change with every commit, so the gateway says so for its servers too. */
export function capabilitiesOf(route: RouteView): Capabilities {
  const subscribe = route.servers.some((server) => server.capabilities?.['resources']?.['subscribe'] === true);
  const tasks = route.servers.flatMap((server) => oldTasksOf(server) ?? []);
  return {
    ...own(route),
    ...(tasks.length > 0 ? { tasks: Object.assign({}, ...tasks) as Record<string, unknown> } : {}),
    tools: { listChanged: true },
    ...(has(route, 'prompts') ? { prompts: { listChanged: true } } : {}),
    ...(has(route, 'resources') ? { resources: { listChanged: true, ...(subscribe ? { subscribe } : {}) } } : {}),
    ...(has(route, 'completions') ? { completions: {} } : {}),
    ...(has(route, 'logging') ? { logging: {} } : {}),
  };
}

/** What goes beyond the gateway's knowledge is passed through where there is one server to pass it to. */
function own({ single }: RouteView): Capabilities {
  const { tasks: _, ...rest } = single?.capabilities ?? {};
  return rest;
}
