/**
 * Rug pull by restart: a server that was started anew may be another one. So where tools are held until a commit accepts
 * them (`toolDrift: block`), no tool is called before the server told what it lists now: on a new connection, when it said that
 * its list changed, and when a call woke its process. Of replicas, each for itself.
 */
import type { Decision } from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { RequestOptions } from '../../schemas/peer.ts';
import { drifted } from '../pins.ts';
import { fetchList, type Request } from './fetch-list.ts';
import { NotDelivered } from './link.ts';
import type { Fetched, Item } from './listing.ts';
import { LISTS } from './lists.ts';
import type { Server } from './server.ts';
import type { Upstream } from './upstream.ts';
import { within } from './within.ts';

/** A tool turned out to be held when its call was on its way. The server never hears of it. */
export class Held extends SlipwayError {
  readonly decision: Decision;

  constructor(decision: Decision) {
    super('blocked', 'The tool is not what was accepted.');
    this.decision = decision;
  }
}

/** What is to be learned on a connection. */
interface Look {
  latest: () => Server;
  asked: Promise<void> | undefined;
  /** It changed again while it was asked. */
  isStale: boolean;
}

const due = new WeakMap<Upstream, Look>();
/** What was listed on the connection that stands: of two replicas, one may be another than the list that all share says. */
const told = new WeakMap<Upstream, readonly Item[]>();

/** A connection was opened, to whoever answers there by now. @param latest the server as it is known now */
export function lookAnew(upstream: Upstream, latest: () => Server): void {
  due.delete(upstream);
  told.delete(upstream);
  if (latest().entry.pinned) look(upstream, latest);
}

/** What is listed on it, and on no other, may be other tools than before: they are asked for at once. */
export function look(upstream: Upstream, latest: () => Server): void {
  const running = due.get(upstream);
  if (running) Object.assign(running, { latest, isStale: true });
  else due.set(upstream, { latest, asked: undefined, isStale: false });
  looked(upstream)?.catch(() => {});
}

/** Resolves when it told once. One that did not is asked again. */
function looked(upstream: Upstream): Promise<void> | undefined {
  const one = due.get(upstream);
  if (one) one.asked ??= ask(upstream, one).finally(() => (one.asked = undefined));
  return one?.asked;
}

/** @throws as the server answers */
async function ask(upstream: Upstream, one: Look): Promise<void> {
  const { known, capabilities, patience, entry } = one.latest();
  one.isStale = false;
  const list = async (): Promise<Fetched> => {
    const isNone = capabilities && capabilities['tools'] === undefined;
    const timeout = Math.max(patience, entry.timeoutMs);
    const request: Request = (...args) => upstream.request(...args);
    const fetched = isNone ? { items: [], ttlMs: 0 } : await fetchList(LISTS.tools, request, timeout);
    if (due.get(upstream) === one) told.set(upstream, fetched.items);
    return fetched;
  };
  await known.lists.tools.take(list);
  if (due.get(upstream) !== one) return;
  if (!one.isStale) due.delete(upstream);
  else setImmediate(() => looked(upstream)?.catch(() => {}));
}

/**
 * What a request has to wait for: on each new connection, after each change, and where another process answers. Nothing but for
 * calls of tools that can be held.
 */
export function admission(
  server: Server,
  upstream: Upstream,
  method: string,
  params: Record<string, unknown>,
  latest: () => Server,
): RequestOptions['admit'] {
  if (server.entry.pinned?.drift !== 'block' || method !== 'tools/call') return undefined;
  const name = String(params['name']);
  return () => {
    const items = told.get(upstream);
    // It stands from a time when nobody wanted to know.
    if (!items && !due.has(upstream)) look(upstream, latest);
    if (due.has(upstream)) return admitted(server, upstream, name);
    const held = items && verdictOn(server, items, name);
    return held && Promise.reject(held);
  };
}

/** @throws Held, or NotDelivered where the server does not tell in time: whoever keeps silent must not get past */
async function admitted(server: Server, upstream: Upstream, name: string): Promise<void> {
  const signal = AbortSignal.timeout(server.patience);
  try {
    // What is asked already may be of before; what is asked after that is not. Who changes without end gets no further than that.
    for (let round = 0; round < 2; round++) {
      const asked = looked(upstream);
      if (asked) await within(asked, signal);
    }
  } catch (error) {
    const why = signal.aborted ? `not within ${server.patience} ms` : error instanceof Error && error.message;
    throw new NotDelivered(`It did not tell which tools it has since it was connected to (${why}).`, error);
  }
  const items = told.get(upstream);
  const held = items ? verdictOn(server, items, name) : new NotDelivered('It was connected to anew.');
  if (held) throw held;
}

function verdictOn({ entry }: Server, items: readonly Item[], name: string): Held | undefined {
  const refusal = drifted({ entry }, { items })?.(name)?.refusal;
  if (refusal) return new Held(refusal);
  const isThere = namesOf(items).has(name);
  return isThere ? undefined : new Held({ allowed: false, level: 'lock', because: 'it is gone' });
}

const names = new WeakMap<readonly Item[], ReadonlySet<unknown>>();

function namesOf(items: readonly Item[]): ReadonlySet<unknown> {
  let found = names.get(items);
  if (!found) names.set(items, (found = new Set(items.map((item) => item['name']))));
  return found;
}
