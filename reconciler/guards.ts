/** What a plan must not do without being asked twice. Pure. Each guard names what it protects from, and how to allow it. */
import { ERRORS } from '../schemas/errors.ts';
import { MASS_DELETE, PASSABLE, type Passable } from '../schemas/kinds/fields/guards.ts';
import { isLoopback, parseListen } from '../schemas/listen.ts';
import type { AllowedGuard, Change, Guard } from '../schemas/plan.ts';
import { addressOf, type Resource } from '../schemas/resource.ts';
import { needsCredentials } from '../schemas/snapshot.ts';
import type { Compiled } from './compile.ts';
import type { Instance } from './drivers/driver.ts';
import { featuresOf, isAllowed } from './features.ts';

export interface There {
  readonly applied: Compiled;
  readonly instances: readonly Instance[];
}

/** What a commit's message says it may do. */
export interface Permit {
  readonly guards: readonly string[];
  /** For people: `Slipway-Allow in 1a2b3c4d`. */
  readonly by: string;
}

interface Case {
  readonly desired: Compiled;
  readonly there: There;
  readonly changes: readonly Change[];
}

export interface Guards {
  readonly guards: Guard[];
  readonly allowed: AllowedGuard[];
}

/** What holds the plan back, and what would if the commit's message did not let it pass. */
export function guardsOf(found: Case, permit: Permit = { guards: [], by: '' }): Guards {
  const { desired, there } = found;
  const passable = [...losses(found), ...protectedOnes(found)];
  const final = new Set<string>(
    [...there.applied.guards, ...desired.guards, ...desired.floorGuards].flatMap((rule) => rule.final),
  );
  const passes = ({ code }: Guard): boolean => permit.guards.includes(code) && !final.has(code);
  return {
    guards: [
      ...passable.filter((guard) => !passes(guard)).map((guard) => withWay(guard, final)),
      ...unsafeListen(desired),
      ...unsafeFeatures(desired),
    ],
    allowed: passable.filter(passes).map((guard) => ({ ...guard, by: permit.by })),
  };
}

/** True for the guards that a commit's message can let pass. */
export const isPassable = (code: string): code is Passable => PASSABLE.some((known) => known === code);

function withWay(guard: Guard, final: ReadonlySet<string>): Guard {
  const way = final.has(guard.code)
    ? 'A Policy says that no commit’s message allows it.'
    : `If it is meant, say so in the message of the commit, as a trailer: Slipway-Allow: ${guard.code}`;
  return { ...guard, allow: `${guard.allow} ${way}` };
}

/** What would go: one guard, the one that says most about why. */
function losses(found: Case): Guard[] {
  const empty = emptyLoad(found);
  return empty.length > 0 ? empty : [...partialLoad(found), ...massDelete(found)];
}

/** An empty load is far more often a wrong path or a bad merge than a wish to delete everything. */
function emptyLoad({ desired, there }: Case): Guard[] {
  const loss = there.applied.resources.length + there.instances.length;
  if (desired.resources.length > 0 || loss === 0) return [];
  return [
    {
      code: 'empty-load',
      message: `The commit holds no resources at all; applying it would delete ${loss}.`,
      allow: 'Keep at least one resource (a Gateway, for instance), or correct --path.',
    },
  ];
}

/**
 * What cannot be read must never look like what was deleted. A resource is deleted by taking its document or its file away;
 * where the file is still there but was emptied, or its folder became a link, a submodule or an empty folder (a volume
 * that is not mounted), that is taken for an accident.
 */
function partialLoad({ desired, there }: Case): Guard[] {
  const blank = desired.blank ?? [];
  const isIn = (file: string, place: string): boolean =>
    file === place || file.startsWith(place.endsWith('/') ? place : `${place}/`);
  const missing = gone(desired, there).flatMap((resource) => {
    const place = blank.find((each) => isIn(resource.source.file, each));
    return place === undefined ? [] : [{ resource, place }];
  });
  return [...Map.groupBy(missing, ({ place }) => place)].map(([place, lost]) => ({
    code: 'partial-load',
    message: `${place} is still there but holds nothing that can be read; applying it would delete ${listed(lost.map(({ resource }) => resource))}.`,
    allow: `Restore ${place}, or remove it.`,
    source: { file: place, line: 1 },
  }));
}

/** A bad merge, a wrong base or a script gone wrong deletes much at once; people rarely do. */
function massDelete({ desired, there: { applied, ...there } }: Case): Guard[] {
  const lost = gone(desired, { applied, ...there });
  // By what was in force before, and the floor: a commit that could raise its own limit would have none.
  const own = applied.guards.flatMap(({ massDelete: rule }) => rule ?? []);
  const floor = desired.floorGuards.flatMap(({ massDelete: rule }) => rule ?? []);
  const rules = [...(own.length > 0 ? own : [MASS_DELETE]), ...floor];
  const count = Math.min(...rules.map((rule) => rule.count));
  const percent = Math.min(...rules.map((rule) => rule.percent));
  const all = applied.resources.length;
  if (lost.length <= count || lost.length * 100 <= percent * all) return [];
  const limits = `more than ${count} and more than ${percent} %`;
  return [
    {
      code: 'mass-delete',
      message: `The commit deletes ${lost.length} of ${all} resources, ${limits}: ${listed(lost)}.`,
      allow: 'Delete them in several commits, or raise guards.massDelete in a Policy, in a commit before.',
    },
  ];
}

/** Somebody said that this must stay, and should not be talked over by the commit that takes it away. */
function protectedOnes({ desired, there: { applied }, changes }: Case): Guard[] {
  const before = new Map(applied.resources.map((resource) => [addressOf(resource), resource]));
  const after = new Map(desired.workloads.map(({ address, hash }) => [address, hash]));
  const hashes = new Map(applied.workloads.map(({ address, hash }) => [address, hash]));
  return changes.flatMap(({ address, action, downtime }): Guard[] => {
    const resource = before.get(address);
    const protect = resource?.metadata.protect;
    // What heals an instance that was changed by hand is no replacement by a commit.
    const replaces = hashes.get(address) !== after.get(address) && !['none', 'reload'].includes(downtime);
    const hit = action === 'delete' ? protect !== undefined : protect === 'replace' && replaces;
    if (!resource || !hit) return [];
    const { file, line } = resource.source;
    return [
      {
        code: 'protected',
        message: `${address} is protected (metadata.protect: ${protect}, ${file}:${line}) and would be ${action === 'delete' ? 'deleted' : 'replaced'}.`,
        allow: 'Remove metadata.protect in a commit of its own, before.',
        address,
        path: 'metadata.protect',
        source: { file, line },
      },
    ];
  });
}

function gone(desired: Compiled, { applied }: There): Resource[] {
  const kept = new Set(desired.resources.map(addressOf));
  return applied.resources.filter((resource) => !kept.has(addressOf(resource)));
}

const SHOWN = 5;
const listed = (resources: readonly Resource[]): string => {
  const names = resources.slice(0, SHOWN).map(addressOf).join(', ');
  return resources.length > SHOWN ? `${names} and ${resources.length - SHOWN} more` : names;
};

/** Beyond loopback without a single Token or identity provider, anybody on the network could call every tool. */
function unsafeListen({ draft }: Compiled): Guard[] {
  if (needsCredentials(draft) || isLoopback(parseListen(draft.gateway.listen).host)) return [];
  const message = `The gateway would listen on ${draft.gateway.listen}, beyond loopback, without any Token or identity provider.`;
  return [{ code: 'unsafe-listen', message, allow: ERRORS['unsafe-listen'].hint }];
}

/** A server that has rights on its host can leave its container: whoever can talk it into that owns the host. */
function unsafeFeatures({ workloads, resources, allowances }: Compiled): Guard[] {
  const sources = new Map(resources.map((resource) => [addressOf(resource), resource.source]));
  return workloads.flatMap((workload) =>
    featuresOf(workload)
      .filter(({ feature }) => !isAllowed(workload.name, feature, allowances))
      .map(({ feature, path, what }): Guard => {
        const { address, name } = workload;
        const source = sources.get(address);
        const where = source ? `${source.file}:${source.line} ` : '';
        return {
          code: 'unsafe-feature',
          message: `${where}${address} asks for ${what} (${path}).`,
          allow: `Remove it, or allow it in a Policy: allow: [{ servers: [${name}], features: [${feature}] }].`,
          address,
          path,
          ...(source ? { source: { file: source.file, line: source.line } } : {}),
        };
      }),
  );
}
