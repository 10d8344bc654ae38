/** Which of a server's upstreams gets a request. */
import type { ServerEntry } from '../../schemas/snapshot.ts';
import type { Upstream } from './upstream.ts';

export interface Choice {
  readonly upstreams: readonly Upstream[];
  readonly canary: ServerEntry['canary'];
  /** Those where the request did not arrive. */
  readonly tried: ReadonlySet<Upstream>;
  /** Of the client it is made for. */
  readonly session: string | undefined;
  /** Whether a session is to stay with one upstream. */
  readonly sticky: boolean;
  /** A number that grows with each choice: where all are equal, they come in turn. */
  readonly turn: number;
}

/**
 * Those that were not tried and can be reached come first, then those of the version that the session belongs to. Among
 * them it is the one that the session stays with, or the one with the fewest requests in flight, in turn where equal.
 */
export function choose({ upstreams, canary, tried, session, sticky, turn }: Choice): Upstream | undefined {
  const onCanary = canary !== undefined && session !== undefined && share(session) < canary.weight;
  let best: Upstream | undefined;
  let [bestRank, bestScore] = [-1, 0];
  for (let at = 0; at < upstreams.length; at++) {
    const upstream = upstreams[(turn + at) % upstreams.length] as Upstream;
    const own = canary === undefined || canary.endpoints.includes(upstream.endpoint.id) === onCanary;
    const rank = (tried.has(upstream) ? 0 : 4) + (upstream.failing ? 0 : 2) + (own ? 1 : 0);
    if (rank < bestRank) continue;
    const score = sticky && session !== undefined ? hash(`${session} ${upstream.endpoint.id}`) : -upstream.busy;
    if (best && rank === bestRank && score <= bestScore) continue;
    [best, bestRank, bestScore] = [upstream, rank, score];
  }
  return best;
}

/** Whether one of them remembers something of its clients. Until it is known, they stay where they are: what is left there may be all they have. */
export function keepSessions(upstreams: readonly Upstream[]): boolean {
  const known = upstreams.map((upstream) => upstream.keepsSessions).filter((keeps) => keeps !== undefined);
  return known.length === 0 || known.includes(true);
}

/** Where a session stands among a hundred: always the same, whatever gateway asks, so that it stays with one version. */
function share(session: string): number {
  return (hash(session) / 2 ** 32) * 100;
}

/** FNV-1a, 32 bits (draft-eastlake-fnv), with a last mix so that texts which differ at their end differ everywhere. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
