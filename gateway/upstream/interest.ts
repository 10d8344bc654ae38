/** Of which resources of a server clients want to hear, and what it is told of that: the first who wants to know, and the last. */
import type { ServerEntry } from '../../schemas/snapshot.ts';
import { holderOf, type IsolatedUpstreams } from './isolated.ts';
import type { Known, Wishes } from './known.ts';
import { LIST_NAMES, LISTS, type ListName } from './lists.ts';
import { partsOf, type Personal } from './personal.ts';
import type { Upstream } from './upstream.ts';
import { within } from './within.ts';

/** What of a server it is about. */
interface Of {
  readonly entry: ServerEntry;
  readonly upstreams: readonly Upstream[];
  readonly isolated: IsolatedUpstreams | undefined;
  readonly personal: Personal | undefined;
  readonly wishes: Wishes;
  readonly known: Known;
}

/** How long the end of a wish may hold up the next (ms). */
const PATIENCE = 3_000;

export class Interest {
  readonly #server: Of;

  constructor(server: Of) {
    this.#server = server;
  }

  /** What the instance, or the instances, that a client uses were asked to tell of. */
  urisOf(client: string): ReadonlySet<string> {
    return this.#server.isolated?.urisOf(holderOf(client)) ?? this.#server.wishes.uris;
  }

  /** Whether clients wait for what it tells unasked, where nothing but a connection that stands brings that (HTTP+SSE, of all). */
  get isAwaited(): boolean {
    const { wishes, upstreams } = this.#server;
    if (wishes.uris.size > 0) return true;
    const { lists, capabilities } = this.#server.known;
    const isTold = (list: ListName): boolean =>
      lists[list].wanted && capabilities?.[LISTS[list].capability]?.['listChanged'] === true;
    return upstreams.some(({ endpoint }) => endpoint.transport === 'sse') && LIST_NAMES.some(isTold);
  }

  /** The instances of a client tell of a resource from now on. @param until Unix time in ms */
  subscribed(client: string, uri: string, until: number): void {
    const { isolated, wishes } = this.#server;
    if (isolated) isolated.subscribed(holderOf(client), uri, until);
    else wishes.uris.add(uri);
  }

  /** A client with an instance of its own does not want to hear of a resource any more. */
  unsubscribed(client: string, uri: string): void {
    const { isolated } = this.#server;
    const holder = holderOf(client);
    const upstream = isolated?.known(holder);
    if (upstream && isolated?.unsubscribed(holder, uri)) this.#end(this.#place(client, uri), uri, [upstream]);
  }

  /** Nobody wants to hear of a resource any more. */
  nobodyWants(uri: string): void {
    const { upstreams, wishes } = this.#server;
    for (const { interest } of partsOf(this.#server)) interest.nobodyWants(uri);
    if (wishes.uris.delete(uri))
      this.#end(
        uri,
        uri,
        upstreams.filter(({ connected }) => connected),
      );
  }

  /** Resolves when the server knows of what ended before, or does not answer: a wish that is new must not be undone by it. */
  async whenUnsubscribed(client: string, uri: string, signal: AbortSignal | undefined): Promise<void> {
    const ending = this.#server.wishes.ending.get(this.#place(client, uri));
    if (ending) await within(ending, signal);
  }

  #end(place: string, uri: string, upstreams: readonly Upstream[]): void {
    const { entry, wishes } = this.#server;
    const wait = { timeoutMs: Math.min(entry.timeoutMs, PATIENCE) };
    const told = Promise.all(upstreams.map((upstream) => tell(upstream, wait, 'resources/unsubscribe', { uri })));
    wishes.ending.set(place, told);
    void told.finally(() => wishes.ending.get(place) === told && wishes.ending.delete(place));
  }

  /** Where clients share no instance, the end of one's wish is no matter of another's. */
  #place(client: string, uri: string): string {
    return this.#server.isolated ? JSON.stringify([holderOf(client), uri]) : uri;
  }
}

/** Asks for something that no client waits for. Never throws. */
export async function tell(
  upstream: Upstream,
  { timeoutMs }: Pick<ServerEntry, 'timeoutMs'>,
  method: string,
  params: Record<string, unknown>,
): Promise<void> {
  await upstream.request(method, params, { signal: AbortSignal.timeout(timeoutMs) }).catch(() => {});
}
