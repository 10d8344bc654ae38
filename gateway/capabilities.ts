/** What a route can do: all that its servers can. */
import { TASKS } from '../schemas/modern.ts';
import { hasTasks, taskCapabilities } from './methods/tasks.ts';
import type { RouteView } from './route-view.ts';
import type { Capabilities } from './upstream/known.ts';

/** Waits, but not for long, for servers of which nothing is known. */
export async function introduceAll({ servers }: RouteView): Promise<void> {
  const strangers = servers.filter((server) => server.capabilities === undefined);
  if (strangers.length > 0) await Promise.all(strangers.map((server) => server.introduce()));
}

/** @returns whether a server of the route has it */
export function has({ servers }: RouteView, capability: string): boolean {
  return servers.some((server) => server.capabilities?.[capability] !== undefined);
}

/** For `server/discover`: tasks are an extension there. */
export function modernCapabilitiesOf(route: RouteView): Capabilities {
  const { tasks: _, ...rest } = capabilitiesOf(route);
  return hasTasks(route) ? { ...rest, extensions: { ...rest['extensions'], [TASKS]: {} } } : rest;
}

/** For `initialize`. Lists can change with every commit, so the gateway says so for its servers too. */
export function capabilitiesOf(route: RouteView): Capabilities {
  const subscribe = route.servers.some((server) => server.capabilities?.['resources']?.['subscribe'] === true);
  const tasks = taskCapabilities(route);
  return {
    ...own(route),
    ...(tasks ? { tasks } : {}),
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
