/** From what servers list now to what the lock file is to say. */
import { stringify } from 'yaml';
import { asLock, lockedIn, type Artifact, type Lock, type LockedTool } from '../../schemas/lock/lock.ts';
import type { Offered } from '../../schemas/lock/offer.ts';
import { partsOf, pinOf, type Listed } from '../../schemas/lock/pin.ts';
import { shown, Unshowable } from '../../schemas/lock/shown.ts';

const HEADER = `# What the servers of this config are accepted to be, written by \`slipway lock\`.
# Who merges a change of this file accepts what it says of tools: read it like code.
`;

export function lockText(lock: Lock): string {
  return HEADER + stringify(lock, { lineWidth: 0, aliasDuplicateObjects: false });
}

export interface Wish {
  /** What is accepted so far. */
  readonly before: Lock | undefined;
  readonly offers: readonly Offered[];
  /** Which servers it is about; all of them where there are none. */
  readonly names: readonly string[];
  /** Whether the config has a server of that name. What it has no more is forgotten. */
  readonly isThere: (server: string) => boolean;
}

export interface Locked {
  readonly lock: Lock;
  /** Servers whose tools are not known, and why: what was accepted of them stays as it is. */
  readonly unknown: readonly { readonly server: string; readonly why: string }[];
  /** Tools that are not accepted although they are there, and why: of these, nobody could read what they say. */
  readonly unwritten: readonly { readonly server: string; readonly tool: string; readonly why: string }[];
  /** Servers of which it cannot be told now what exactly runs: what was accepted of that stays as well. */
  readonly untold: readonly string[];
  /** Servers that the config has no more. */
  readonly gone: readonly string[];
}

export async function locked({ before, offers, names, isThere }: Wish): Promise<Locked> {
  const isMeant = (server: string): boolean => names.length === 0 || names.includes(server);
  const old = Object.keys(before?.servers ?? {});
  const gone = old.filter((server) => isMeant(server) && !isThere(server));
  const servers = new Map(Object.entries(before?.servers ?? {}).filter(([server]) => !gone.includes(server)));
  const unknown: Locked['unknown'][number][] = [];
  const unwritten: Locked['unwritten'][number][] = [];
  for (const { server, tools, why = 'it did not tell', artifact } of offers.filter((offer) => isMeant(offer.server))) {
    if (!tools) {
      unknown.push({ server, why });
      continue;
    }
    const now = await lockedTools(tools);
    unwritten.push(...now.unwritten.map((one) => ({ server, ...one })));
    const exact = merged(artifact, lockedIn(before, server)?.artifact);
    servers.set(server, { ...(exact ? { artifact: exact } : {}), tools: now.tools });
  }
  const offered = new Set(offers.map(({ server }) => server));
  const off = [...servers.keys()].filter((server) => isMeant(server) && !offered.has(server));
  unknown.push(...off.map((server) => ({ server, why: 'it is not in force' })));
  const sorted = [...servers].sort(([a], [b]) => (a < b ? -1 : 1));
  const untold = offers.filter(({ server, artifact }) => isMeant(server) && artifact === 'unknown');
  return {
    lock: asLock(Object.fromEntries(sorted)),
    unknown,
    unwritten,
    untold: untold.map(({ server }) => server),
    gone,
  };
}

async function lockedTools(listed: readonly Listed[]) {
  // Of two with one name, clients get the first.
  const first = new Map(listed.toReversed().map((tool) => [pinOf(tool).name, tool]));
  const tools: LockedTool[] = [];
  const unwritten: { readonly tool: string; readonly why: string }[] = [];
  // Nothing is taken over from the file: who wrote there may have written anything.
  for (const [name, tool] of [...first].sort(([a], [b]) => (a < b ? -1 : 1)))
    try {
      tools.push(await lockedTool(tool));
    } catch (error) {
      if (!(error instanceof Unshowable)) throw error;
      unwritten.push({ tool: name, why: error.message });
    }
  return { tools, unwritten };
}

/** A package that is not installed where it was asked for is still the one that was accepted; so is what nobody can tell now. */
function merged(now: Offered['artifact'], before: Artifact | undefined): Artifact | undefined {
  if (now === 'unknown') return before;
  if (!now || now.integrity !== undefined || now.package === undefined || now.package !== before?.package) return now;
  return { ...before, ...now };
}

/** @throws Unshowable */
async function lockedTool(tool: Listed): Promise<LockedTool> {
  const { name, hashes } = pinOf(tool);
  const parts = shown(tool);
  // The tokenizer alone takes 100 ms: only where there is something to lock.
  const { tokensIn } = await import('../../gateway/index.ts');
  const { others, ...seen } = partsOf(tool);
  return {
    name,
    ...parts,
    tokens: await tokensIn(JSON.stringify({ name: tool['name'], ...seen, ...(others as object | undefined) })),
    hashes,
  } as LockedTool;
}
