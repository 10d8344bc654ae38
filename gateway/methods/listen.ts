/** `subscriptions/listen`: one response that stays open, on which the client hears of the changes it named. */
import { RPC, RpcFailure, type Id, type RpcNotification } from '../../schemas/jsonrpc.ts';
import { META } from '../../schemas/modern.ts';
import { has, introduceAll } from '../capabilities.ts';
import type { ModernCall } from '../era/modern-call.ts';
import type { RouteView } from '../route-view.ts';
import { SseWriter } from '../rpc/sse-writer.ts';
import type { Stream } from '../sessions/streams.ts';
import { LISTS } from '../upstream/lists.ts';
import { subscribe } from './resources.ts';

/** Which notice each field of the filter lets through. */
const FILTERS: Readonly<Record<string, keyof typeof LISTS>> = {
  toolsListChanged: 'tools',
  promptsListChanged: 'prompts',
  resourcesListChanged: 'resources',
};

/**
 * Opens the stream: first what is granted, then whatever changes.
 * @throws RpcFailure invalid params for a filter that is none
 */
export async function listen(call: ModernCall): Promise<void> {
  const { caller, request } = call;
  const { state, source, response, identity, route } = caller;
  const { wanted, uris } = filterOf(request.params?.['notifications']);
  caller.permit?.hold('streams');
  await introduceAll(route);
  // A stream that nobody has would never be told of its end, for that was before.
  if (response.destroyed) return;
  state.streams.claim(call.id, identity);
  const lists = wanted.filter((field) => offers(route, field));
  const channel = new Channel(
    request.id,
    new Set(lists.map((field) => LISTS[FILTERS[field] as keyof typeof LISTS].changed)),
  );
  const stream: Stream = {
    sessionId: call.id,
    route: route.path,
    identity,
    source,
    expiresAt: Infinity,
    writer: new SseWriter(response),
    phrase: (notification) => channel.phrase(notification),
    farewell: channel.farewell,
  };
  response.once('close', () => {
    state.streams.remove(stream);
    state.subscriptions.end(call.id);
  });
  // Listens before it subscribes, so that nothing is missed between the two.
  state.streams.add(stream);
  const resourceSubscriptions = (await Promise.all(uris.map((uri) => granted(call, uri)))).flat();
  const notifications = {
    ...Object.fromEntries(lists.map((field) => [field, true])),
    ...(resourceSubscriptions.length > 0 ? { resourceSubscriptions } : {}),
  };
  if (response.destroyed) return state.subscriptions.end(call.id);
  for (const text of channel.acknowledge(notifications)) stream.writer.event(text);
}

/** Limit evasion: each URI costs what a request costs, or one body could make any number of them. What is refused is left out. */
async function granted(call: ModernCall, uri: string): Promise<string[]> {
  const { state, course } = call.caller;
  try {
    state.limiter.admit(course.counted, undefined).release();
    await subscribe(call.about('resources/subscribe', uri));
    return [uri];
  } catch {
    return [];
  }
}

/** Says what it says under the id of its request. */
class Channel {
  readonly #id: Id;
  readonly #methods: ReadonlySet<string>;
  /** What came before the acknowledgement, which must be first. */
  #early: string[] | undefined = [];

  constructor(id: Id, methods: ReadonlySet<string>) {
    this.#id = id;
    this.#methods = methods;
  }

  /** @returns what to send just now */
  phrase({ method, params }: RpcNotification): string | undefined {
    if (!this.#methods.has(method) && method !== 'notifications/resources/updated') return undefined;
    const text = this.#notice(method, params);
    if (!this.#early) return text;
    this.#early.push(text);
    return undefined;
  }

  acknowledge(notifications: Record<string, unknown>): string[] {
    const early = this.#early ?? [];
    this.#early = undefined;
    return [this.#notice('notifications/subscriptions/acknowledged', { notifications }), ...early];
  }

  get farewell(): string {
    const result = { resultType: 'complete', _meta: { [META.subscription]: this.#id } };
    return JSON.stringify({ jsonrpc: '2.0', id: this.#id, result });
  }

  #notice(method: string, params: Record<string, unknown> | undefined): string {
    const _meta = { ...(params?.['_meta'] as object | undefined), [META.subscription]: this.#id };
    return JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta } });
  }
}

function filterOf(filter: unknown): { wanted: string[]; uris: string[] } {
  const { resourceSubscriptions: uris = [], ...rest } = (filter ?? {}) as Record<string, unknown>;
  const fits = typeof filter === 'object' && filter !== null && Array.isArray(uris) && uris.every(isText);
  if (!fits) throw new RpcFailure({ code: RPC.invalidParams, message: 'notifications must say what to listen for' });
  return { wanted: Object.keys(FILTERS).filter((field) => rest[field] === true), uris: [...new Set(uris)] };
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** The gateway tells of tools whatever its servers do: a commit can change them. */
function offers(route: RouteView, field: string): boolean {
  const { capability } = LISTS[FILTERS[field] as keyof typeof LISTS];
  return capability === 'tools' || has(route, capability);
}
