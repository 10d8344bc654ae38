/** What is told of a server's tools: how they differ from the lock file, and what somebody should look at. Pure. */
import { randomUUID } from 'node:crypto';
import type { AuditDraft } from '../../schemas/audit.ts';
import { inWords } from '../../schemas/lock/differences.ts';
import { duplicates } from '../../schemas/lock/duplicates.ts';
import { findingsIn, type Finding } from '../../schemas/lock/findings.ts';
import { lookAlikes } from '../../schemas/lock/look-alikes.ts';
import { driftOf, type Pinned } from '../../schemas/lock/pinned.ts';
import type { Snapshot, Tool } from '../../schemas/snapshot.ts';
import type { ServerStatus, Status } from '../../schemas/status.ts';
import type { Draft } from '../status.ts';

/** Part of a server's status. @param findings of all servers, by name */
export function toolsTold(
  pinned: Pinned | undefined,
  tools: readonly Tool[] | undefined,
  findings: readonly Finding[] = [],
): Pick<ServerStatus, 'pins' | 'findings'> {
  const differences = pinned && tools ? driftOf(pinned, tools) : [];
  return {
    ...(pinned && differences.length > 0
      ? { pins: { drift: pinned.drift, differences: differences.map((one) => ({ ...one, parts: [...one.parts] })) } }
      : {}),
    ...(findings.length === 0
      ? {}
      : { findings: findings.map(({ tool, kind, message }) => ({ tool, kind, message })) }),
  };
}

/** Told where somebody wants to know. Without names: which tools somebody may see, the rest of the status knows. */
export function pinnedCondition({ pins }: Pick<ServerStatus, 'pins'>, pinned: Pinned | undefined): Draft[] {
  if (!pinned) return [];
  if (!pins) return [{ type: 'Pinned', status: 'True', reason: 'AsLocked', message: 'its tools are as accepted' }];
  const count = pins.differences.length;
  const what = `${count} tool${count === 1 ? ' is' : 's are'} not what slipway.lock.yaml says`;
  const message = pins.drift === 'block' ? `${what}; what is new or changed is held` : what;
  return [{ type: 'Pinned', status: 'False', reason: 'ToolDrift', message }];
}

type Listed = readonly (readonly [server: string, tools: readonly Tool[]])[];

/** Looks for what somebody should look at: again only where some server lists other tools, or routes are others. */
export class Findings {
  #seen: Listed = [];
  #routes: Snapshot['routes'] = {};
  #found: ReadonlyMap<string, readonly Finding[]> = new Map();

  of(servers: Listed, routes: Snapshot['routes']): ReadonlyMap<string, readonly Finding[]> {
    const isSame =
      routes === this.#routes &&
      servers.length === this.#seen.length &&
      servers.every(([name, tools], at) => name === this.#seen[at]?.[0] && tools === this.#seen[at]?.[1]);
    if (isSame) return this.#found;
    const named = servers.map(([server, tools]) => ({ server, tools: tools.map(({ name }) => name) }));
    const alike = [...lookAlikes(named), ...duplicates(routes, named)];
    const all = [...servers.flatMap(([server, tools]) => findingsIn(server, tools)), ...alike];
    this.#seen = servers;
    this.#routes = routes;
    this.#found = Map.groupBy(all, ({ server }) => server);
    return this.#found;
  }
}

/** An event for each tool that differs now and did not before, or not in this way. */
export function driftEvents(before: Status | undefined, { servers, lastApplied }: Status): AuditDraft[] {
  const earlier = new Map(before?.servers.map(({ name, pins }) => [name, new Set(pins?.differences.map(textOf))]));
  return servers.flatMap(({ name, pins }) =>
    (pins?.differences ?? [])
      .filter((one) => !earlier.get(name)?.has(textOf(one)))
      .map((one): AuditDraft => {
        const isHeld = pins?.drift === 'block' && one.change !== 'removed';
        return {
          at: Date.now(),
          kind: 'tool_drift',
          source: 'reconciler',
          outcome: isHeld ? 'denied' : 'ok',
          requestId: randomUUID(),
          server: name,
          tool: one.tool,
          method: 'tools/list',
          allowed: !isHeld,
          ...(isHeld ? { deniedReason: 'tool-drift' } : {}),
          ...(lastApplied ? { commit: lastApplied.id } : {}),
          detail: { change: one.change, because: inWords(one), toolDrift: pins?.drift },
        };
      }),
  );
}

type Difference = NonNullable<ServerStatus['pins']>['differences'][number];

const textOf = ({ tool, change, from, parts }: Difference): string => JSON.stringify([tool, change, from, parts]);
