/** What is told of a server's tools: how they differ from the lock file. Pure. */
import { randomUUID } from 'node:crypto';
import type { AuditDraft } from '../../schemas/audit.ts';
import { inWords } from '../../schemas/lock/differences.ts';
import { driftOf, type Pinned } from '../../schemas/lock/pinned.ts';
import type { ServerEntry, Tool } from '../../schemas/snapshot.ts';
import type { ServerStatus, Status } from '../../schemas/status.ts';
import { nameHash } from '../record/audit/line.ts';
import type { Draft } from '../status.ts';

/** How what a server lists differs from what was accepted; undefined where it does not, or nobody wants to know. */
export function pinsOf(pinned: Pinned | undefined, tools: readonly Tool[] | undefined): ServerStatus['pins'] {
  const found = pinned && tools ? driftOf(pinned, tools) : [];
  if (!pinned || found.length === 0) return undefined;
  return { drift: pinned.drift, differences: found.map((one) => ({ ...one, parts: [...one.parts] })) };
}

/** Told where somebody wants to know. Without names: which tools somebody may see, the rest of the status knows. */
export function pinnedCondition(pins: ServerStatus['pins'], pinned: Pinned | undefined): Draft[] {
  if (!pinned) return [];
  if (!pins) return [{ type: 'Pinned', status: 'True', reason: 'AsLocked', message: 'its tools are as accepted' }];
  const count = pins.differences.length;
  const what = `${count} tool${count === 1 ? ' is' : 's are'} not what slipway.lock.yaml says`;
  const message = pins.drift === 'block' ? `${what}; what is new or changed is held` : what;
  return [{ type: 'Pinned', status: 'False', reason: 'ToolDrift', message }];
}

/** An event for each tool that differs now and did not before, or not in this way. @param entries say how much of each is recorded */
export function driftEvents(
  before: Status | undefined,
  { servers, lastApplied }: Status,
  entries: Readonly<Record<string, Pick<ServerEntry, 'audit'>>>,
): AuditDraft[] {
  const earlier = new Map(before?.servers.map(({ name, pins }) => [name, new Set(pins?.differences.map(textOf))]));
  return servers.flatMap(({ name, pins }) =>
    (pins?.differences ?? [])
      .filter((one) => !earlier.get(name)?.has(textOf(one)))
      .map((one): AuditDraft => {
        const isHeld = pins?.drift === 'block' && one.change !== 'removed';
        const level = entries[name]?.audit;
        // What a tool was called before is a name as well.
        const told = level === 'hash' && one.from !== undefined ? { ...one, from: nameHash(one.from) } : one;
        return {
          at: Date.now(),
          kind: 'tool_drift',
          source: 'reconciler',
          outcome: isHeld ? 'denied' : 'ok',
          requestId: randomUUID(),
          server: name,
          tool: one.tool,
          level,
          method: 'tools/list',
          allowed: !isHeld,
          ...(isHeld ? { deniedReason: 'tool-drift' } : {}),
          ...(lastApplied ? { commit: lastApplied.id } : {}),
          detail: { change: one.change, because: inWords(told), toolDrift: pins?.drift },
        };
      }),
  );
}

type Difference = NonNullable<ServerStatus['pins']>['differences'][number];

const textOf = ({ tool, change, from, parts }: Difference): string => JSON.stringify([tool, change, from, parts]);
