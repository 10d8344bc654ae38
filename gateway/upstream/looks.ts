/**
 * Rug pull by restart: a server that was started anew may be another one. So where tools are held until a commit accepts
 * them (`toolDrift: block`), no tool is called on a connection before the server told on it what it lists now.
 */
import type { Decision } from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import type { RequestOptions } from '../../schemas/peer.ts';
import { drifted } from '../pins.ts';
import { fetchList } from './fetch-list.ts';
import { NotDelivered } from './link.ts';
import type { Fetched } from './listing.ts';
import { LISTS } from './lists.ts';
import type { Server } from './server.ts';
import { within, type Upstream } from './upstream.ts';

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
  /** Fails where the server does not tell. */
  readonly ask: () => Promise<void>;
  asked: Promise<void> | undefined;
}

const due = new WeakMap<Upstream, Look>();

/** A connection was opened: what is listed on it, and no other, is asked for at once. @param latest the server as it is known now */
export function look(upstream: Upstream, latest: () => Server): void {
  const ask = (): Promise<void> => {
    const { known, capabilities, patience, entry } = latest();
    const list = (): Promise<Fetched> =>
      capabilities && capabilities['tools'] === undefined
        ? Promise.resolve({ items: [], ttlMs: 0 })
        : fetchList(LISTS.tools, (...args) => upstream.request(...args), Math.max(patience, entry.timeoutMs));
    return known.lists.tools.take(list);
  };
  due.set(upstream, { ask, asked: undefined });
  looked(upstream)?.catch(() => {});
}

/** Resolves when it told. One that did not is asked again. */
function looked(upstream: Upstream): Promise<void> | undefined {
  const one = due.get(upstream);
  if (!one) return undefined;
  const told = (): void => {
    if (due.get(upstream) === one) due.delete(upstream);
  };
  one.asked ??= one
    .ask()
    .then(told)
    .finally(() => (one.asked = undefined));
  return one.asked;
}

/** What a request has to wait for on each new connection; nothing but for calls of tools that can be held. */
export function admission(
  server: Server,
  upstream: Upstream,
  method: string,
  params: Record<string, unknown>,
): RequestOptions['admit'] {
  if (server.entry.pinned?.drift !== 'block' || method !== 'tools/call') return undefined;
  return () => (due.has(upstream) ? admitted(server, upstream, String(params['name'])) : undefined);
}

/** @throws Held, or NotDelivered where the server does not tell in time: whoever keeps silent must not get past */
async function admitted(server: Server, upstream: Upstream, name: string): Promise<void> {
  const signal = AbortSignal.timeout(server.patience);
  try {
    for (let asked = looked(upstream); asked; asked = looked(upstream)) await within(asked, signal);
  } catch (error) {
    const why = signal.aborted ? `not within ${server.patience} ms` : error instanceof Error && error.message;
    throw new NotDelivered(`It did not tell which tools it has since it was connected to (${why}).`, error);
  }
  const state = server.state('tools');
  const isGone = state?.items?.every((item) => item['name'] !== name) ?? false;
  const refusal = drifted(server, state)?.(name)?.refusal;
  if (refusal) throw new Held(refusal);
  if (isGone) throw new Held({ allowed: false, level: 'lock', because: 'it is gone' });
}
