/** What becomes of tools that are not what the lock file says: which of the resources that have a say is heard. Pure. */
import { TOOL_DRIFTS, type ToolDriftMode } from '../../schemas/kinds/fields/tool-drift.ts';
import { LOCK_FILE, lockedIn, type Lock } from '../../schemas/lock/lock.ts';
import type { ServerEntry } from '../../schemas/snapshot.ts';
import { packageText, type Workload } from '../workload.ts';

/** As resources put it. */
export interface ToolDriftDraft {
  readonly servers: Record<string, ToolDriftMode>;
  /** The Gateway's. */
  all?: ToolDriftMode | undefined;
  /** The strictest of Policies, and of the floor. */
  least?: ToolDriftMode | undefined;
}

/** @param usual where no other says more */
export function strictest<Mode extends ToolDriftMode>(usual: Mode, ...others: readonly (Mode | undefined)[]): Mode {
  const rank = (mode: Mode): number => TOOL_DRIFTS.indexOf(mode);
  return others.reduce<Mode>((most, mode) => (mode !== undefined && rank(mode) > rank(most) ? mode : most), usual);
}

export function atLeast(draft: ToolDriftDraft, mode: ToolDriftMode | undefined): void {
  draft.least = strictest<ToolDriftMode>('off', draft.least, mode);
}

/**
 * Tells the gateway what was accepted. Where nobody says anything, who wrote a server's tools down wants to hear of others:
 * `warn`. Where somebody says `block` and nothing is written down, nothing was accepted, and all tools are held.
 */
export function pinTools(
  { servers, toolDrift }: { readonly servers: Record<string, ServerEntry>; readonly toolDrift: ToolDriftDraft },
  lock: Lock | undefined,
): void {
  for (const [name, entry] of Object.entries(servers)) {
    const locked = lockedIn(lock, name);
    const usual = toolDrift.servers[name] ?? toolDrift.all ?? (locked ? 'warn' : 'off');
    const drift = strictest<ToolDriftMode>(usual, toolDrift.least);
    if (drift === 'off') continue;
    const tools = (locked?.tools ?? []).map((tool) => ({ name: tool.name, hashes: tool.hashes }));
    const place = lock?.lines && Object.hasOwn(lock.lines, name) ? lock.lines[name] : undefined;
    servers[name] = {
      ...entry,
      pinned: {
        drift,
        tools,
        ...(place ? { place: { file: LOCK_FILE, line: place.line, tools: { ...place.tools } } } : {}),
      },
    };
  }
}

/** The same version of a package can be another tarball: what was accepted of it goes along to whoever installs it. */
export function withAccepted(
  workload: Workload,
  { servers }: { readonly servers: Readonly<Record<string, ServerEntry>> },
  lock: Lock | undefined,
): Workload {
  const { name, run } = workload;
  const { integrity, package: locked } = lockedIn(lock, name)?.artifact ?? {};
  const drift = servers[name]?.pinned?.drift;
  const isSame = run.program.type === 'package' && locked === packageText(run.program);
  if (integrity === undefined || drift === undefined || !isSame) return workload;
  return { ...workload, accepted: { integrity, isHeld: drift === 'block' } };
}
