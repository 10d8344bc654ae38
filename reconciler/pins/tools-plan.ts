/** What a commit that changes the lock file accepts: tools that came, went or changed, and what they cost. Pure. */
import type { Snapshot } from '../../schemas/snapshot.ts';
import { differences, type Difference } from '../../schemas/lock/differences.ts';
import { duplicates } from '../../schemas/lock/duplicates.ts';
import { findingsIn, type Finding } from '../../schemas/lock/findings.ts';
import { fieldChanges, sayings } from '../../schemas/lock/fields.ts';
import { unescaped } from '../../schemas/lock/hidden.ts';
import { lookAlikes } from '../../schemas/lock/look-alikes.ts';
import { lockedIn, type Artifact, type Lock, type LockedTool } from '../../schemas/lock/lock.ts';
import { PARTS } from '../../schemas/lock/pin.ts';
import { listedOf, unreadIn } from '../../schemas/lock/shown.ts';
import type { ToolChange, ToolsPlan } from '../../schemas/plan.ts';

export interface Side {
  readonly lock: Lock | undefined;
  readonly routes: Snapshot['routes'];
}

/** @returns undefined where both accept the same */
export function toolsPlan(before: Side, after: Side): ToolsPlan | undefined {
  if (!before.lock && !after.lock) return undefined;
  const servers = [...new Set([before, after].flatMap(({ lock }) => Object.keys(lock?.servers ?? {})))].sort();
  const changes = servers.flatMap((server) => toolChanges(server, before.lock, after.lock));
  const artifacts = servers.flatMap((server) => artifactChange(server, before.lock, after.lock));
  if (changes.length === 0 && artifacts.length === 0) return undefined;
  return { changes, artifacts, findings: findingsOf(changes, after) };
}

function toolChanges(server: string, before: Lock | undefined, after: Lock | undefined): ToolChange[] {
  const [was, is] = [lockedIn(before, server)?.tools ?? [], lockedIn(after, server)?.tools ?? []];
  return differences(was, is).map((difference) => changeOf(server, difference, was, is));
}

/** A difference between two versions of a server's tools, with all that there is to say of it. */
export function changeOf(
  server: string,
  { tool, from, ...rest }: Difference,
  was: readonly LockedTool[],
  is: readonly LockedTool[],
): ToolChange {
  const old = was.find(({ name }) => name === (from ?? tool));
  const now = is.find(({ name }) => name === tool);
  const isTold = old?.hashes.description !== now?.hashes.description;
  const known = old && now ? fieldChanges(old, now, rest.parts) : now ? sayings(now, PARTS) : [];
  return {
    server,
    tool,
    change: rest.change,
    ...(from === undefined ? {} : { from }),
    parts: [...rest.parts],
    ...(isTold ? { description: { ...said('before', old), ...said('after', now) } } : {}),
    fields: known.map((field) => ({ ...field })),
    tokens: { before: old?.tokens ?? 0, after: now?.tokens ?? 0 },
  };
}

const said = (side: 'before' | 'after', tool: LockedTool | undefined): Record<string, string> =>
  tool?.description === undefined ? {} : { [side]: tool.description };

function artifactChange(server: string, before: Lock | undefined, after: Lock | undefined): ToolsPlan['artifacts'] {
  const [was, is] = [artifactText(lockedIn(before, server)?.artifact), artifactText(lockedIn(after, server)?.artifact)];
  if (was === is) return [];
  return [{ server, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }];
}

/** `npm:left-pad@1.0.0 sha512-…`, `registry/app:1 sha256:…`. */
export function artifactText(artifact: Artifact | undefined): string | undefined {
  if (!artifact) return undefined;
  const { package: name, integrity, image, digest, id } = artifact;
  return [name, integrity, image, digest ?? id].filter((part) => part !== undefined).join(' ');
}

/** Of what is accepted anew. */
function findingsOf(changes: readonly ToolChange[], { lock, routes }: Side): Finding[] {
  const fresh = new Set(
    changes.filter(({ change }) => change !== 'removed').map(({ server, tool }) => `${server} ${tool}`),
  );
  const isFresh = (server: string, tool: string): boolean => fresh.has(`${server} ${tool}`);
  const servers = Object.entries(lock?.servers ?? {});
  const named = servers.map(([server, { tools }]) => ({ server, tools: tools.map(({ name }) => unescaped(name)) }));
  const alike = [...lookAlikes(named), ...duplicates(routes, named)].filter(({ server, tool }) =>
    isFresh(server, tool),
  );
  // What was accepted before must not use up the room that there is for looking.
  const inTools = servers.flatMap(([server, { tools }]) => {
    const ours = tools.filter(({ name }) => isFresh(server, name));
    return [...unreadOf(server, ours), ...findingsIn(server, ours.map(listedOf))];
  });
  return [...inTools, ...alike];
}

/** A lock file of the older format must not hide what a newer one shows. */
function unreadOf(server: string, tools: readonly LockedTool[]): Finding[] {
  return tools.flatMap((tool): Finding[] => {
    const parts = unreadIn(tool);
    if (parts.length === 0) return [];
    const message = `what its ${parts.join(', ')} says is not in the lock file: \`slipway lock ${server}\` writes it`;
    return [{ server, tool: tool.name, kind: 'unread', message }];
  });
}
