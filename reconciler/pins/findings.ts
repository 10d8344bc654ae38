/** What somebody should look at in servers' tools: looked for when somebody asks, not with each change of the status. */
import { duplicates } from '../../schemas/lock/duplicates.ts';
import { findingsIn, type Finding } from '../../schemas/lock/findings.ts';
import { lookAlikes } from '../../schemas/lock/look-alikes.ts';
import type { Snapshot, Tool } from '../../schemas/snapshot.ts';
import type { Status } from '../../schemas/status.ts';

type Listed = readonly (readonly [server: string, tools: readonly Tool[]])[];

/** Remembers what was found: it is looked for again only where some server lists other tools, or routes are others. */
export class Findings {
  #seen: Listed = [];
  #routes: Snapshot['routes'] = {};
  #found: ReadonlyMap<string, readonly Finding[]> = new Map();

  /** The status with what was found. @param listed what servers list, by name */
  into(status: Status, listed: ReadonlyMap<string, readonly Tool[]>, routes: Snapshot['routes']): Status {
    const found = this.#of([...listed], routes);
    if (found.size === 0) return status;
    const servers = status.servers.map((server) => {
      const findings = found.get(server.name)?.map(({ tool, kind, message }) => ({ tool, kind, message }));
      return findings ? { ...server, findings } : server;
    });
    return { ...status, servers };
  }

  #of(listed: Listed, routes: Snapshot['routes']): ReadonlyMap<string, readonly Finding[]> {
    const isSame =
      routes === this.#routes &&
      listed.length === this.#seen.length &&
      listed.every(([name, tools], at) => name === this.#seen[at]?.[0] && tools === this.#seen[at]?.[1]);
    if (isSame) return this.#found;
    const named = listed.map(([server, tools]) => ({ server, tools: tools.map(({ name }) => name) }));
    const inTools = listed.flatMap(([server, tools]) => findingsIn(server, tools));
    const all = [...inTools, ...lookAlikes(named), ...duplicates(routes, named)];
    [this.#seen, this.#routes] = [listed, routes];
    this.#found = Map.groupBy(all, ({ server }) => server);
    return this.#found;
  }
}
