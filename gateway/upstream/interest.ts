/** Of which resources of a server clients want to hear, and what it is told of that: the first who wants to know, and the last. */
import type { ServerEntry } from '../../schemas/snapshot.ts';
import { holderOf, type IsolatedUpstreams } from './isolated.ts';
import type { Known, Wishes } from './known.ts';
import { LIST_NAMES, LISTS, type ListName } from './lists.ts';
import { partsOf, type Personal } from './personal.ts';
import type { Upstream } from './upstream.ts';

/** What of a server it is about. */
interface Of {
  readonly entry: ServerEntry;
  readonly upstreams: readonly Upstream[];
  readonly isolated: IsolatedUpstreams | undefined;
  readonly personal: Personal | undefined;
  readonly wishes: Wishes;
  readonly known: Known;
}

export class Interest {
  readonly #server: Of;

  constructor(server: Of) {
    this.#server = server;
  }

  /** What the instance, or the instances, that a client uses were asked to tell of. */
  of(client: string): ReadonlySet<string> {
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
  begun(client: string, uri: string, until: number): void {
    const { isolated, wishes } = this.#server;
    if (isolated) isolated.subscribed(holderOf(client), uri, until);
    else wishes.uris.add(uri);
  }

  /** A client with an instance of its own does not want to hear of a resource any more. */
  ended(client: string, uri: string): void {
    const { isolated } = this.#server;
    const holder = holderOf(client);
    const upstream = isolated?.known(holder);
    if (upstream && isolated?.unsubscribed(holder, uri)) this.#end(uri, [upstream]);
  }

  /** Nobody wants to hear of a resource any more. */
  forget(uri: string): void {
    const { upstreams, wishes } = this.#server;
    for (const { interest } of partsOf(this.#server)) interest.forget(uri);
    if (wishes.uris.delete(uri))
      this.#end(
        uri,
        upstreams.filter(({ connected }) => connected),
      );
  }

  /** Resolves when the server knows of what ended before: a wish that is new must not be undone by it. */
  async settled(uri: string): Promise<void> {
    await this.#server.wishes.ending.get(uri);
  }

  #end(uri: string, upstreams: readonly Upstream[]): void {
    const { entry, wishes } = this.#server;
    const told = Promise.all(upstreams.map((upstream) => tell(upstream, entry, 'resources/unsubscribe', { uri })));
    wishes.ending.set(uri, told);
    void told.finally(() => wishes.ending.get(uri) === told && wishes.ending.delete(uri));
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
