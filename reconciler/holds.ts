/** What keeps a commit from being rolled out for now: somebody said so, or the time is not right. Pure. */
import type { MaintenanceSpec } from '../schemas/kinds/fields/maintenance.ts';
import { milliseconds } from '../schemas/kinds/fields.ts';
import { addressOf, type Resource } from '../schemas/resource.ts';
import { lastDue, nextDue } from './schedule.ts';
import type { Workload } from './workload.ts';

/** What a resource says about it. */
export interface HoldRule {
  /** Address of that resource. */
  readonly from: string;
  readonly source: { readonly file: string; readonly line: number };
  /** Address of what it is about; absent: everything. */
  readonly about?: string;
  readonly suspend: boolean;
  readonly maintenance?: MaintenanceSpec;
}

export interface Hold {
  readonly reason: 'Suspended' | 'OutsideWindow';
  /** For people, without a full stop. */
  readonly message: string;
  readonly from: string;
  /** When the next window opens; absent where none ever does. */
  readonly opensAt?: Date;
}

/** By address of what is held. */
export type Holds = ReadonlyMap<string, Hold>;

export const NO_HOLDS: Holds = new Map();

/** @param about whether the rule is about the resource alone, or about everything */
export function holdRule(
  resource: Resource<{ readonly suspend: boolean; readonly maintenance?: MaintenanceSpec }>,
  about: 'itself' | 'everything',
): HoldRule {
  const { suspend, maintenance } = resource.spec;
  const { file, line } = resource.source;
  return {
    from: addressOf(resource),
    source: { file, line },
    ...(about === 'itself' ? { about: addressOf(resource) } : {}),
    suspend,
    ...(maintenance ? { maintenance } : {}),
  };
}

/** What holds an address now. Being suspended goes before the time; of several times, the one that opens last. */
export function holdOf(rules: readonly HoldRule[], address: string, now: Date): Hold | undefined {
  const mine = rules.filter(({ about }) => about === undefined || about === address);
  const suspended = mine.find(({ suspend }) => suspend);
  if (suspended) {
    const { from, source } = suspended;
    return { reason: 'Suspended', from, message: `suspended by ${from} (${source.file}:${source.line})` };
  }
  const closed = mine.filter(({ maintenance }) => maintenance && !isOpen(maintenance, now));
  const [rule] = closed;
  if (!rule) return undefined;
  const opensAt = opening(
    mine.flatMap(({ maintenance }) => maintenance ?? []),
    now,
  );
  const when = opensAt ? `the next window opens at ${opensAt.toISOString()}` : 'no window ever opens';
  const message = `it waits for a maintenance window of ${rule.from} (${rule.source.file}:${rule.source.line}); ${when}`;
  return { reason: 'OutsideWindow', from: rule.from, message, ...(opensAt ? { opensAt } : {}) };
}

type Maintenance = NonNullable<MaintenanceSpec>;
type Window = Maintenance['allow'][number];

export function isOpen({ allow, deny, timeZone }: Maintenance, at: Date): boolean {
  if (deny.some((window) => endOf(window, at, timeZone) !== undefined)) return false;
  return allow.length === 0 || allow.some((window) => endOf(window, at, timeZone) !== undefined);
}

/** When a window that is open ends; `undefined` where it is not open. */
function endOf({ schedule, duration }: Window, at: Date, timeZone: string | undefined): Date | undefined {
  const began = lastDue(schedule, new Date(at.getTime() + 1), timeZone);
  const end = began && new Date(began.getTime() + milliseconds(duration));
  return end && end > at ? end : undefined;
}

/** Windows that deny one another are looked through this far. */
const MAX_STEPS = 1000;

/** The first time, from `now` on, at which all of them are open; `undefined` where there is none in sight. */
export function opening(all: readonly Maintenance[], now: Date): Date | undefined {
  let at = now;
  for (let step = 0; step < MAX_STEPS; step++) {
    const closed = all.find((one) => !isOpen(one, at));
    if (!closed) return at;
    const { allow, deny, timeZone } = closed;
    const denied = deny.flatMap((window) => endOf(window, at, timeZone) ?? []);
    const begins = allow.flatMap(({ schedule }) => nextDue(schedule, at, timeZone) ?? []);
    const next = denied.length > 0 ? latest(denied) : earliest(begins);
    if (!next) return undefined;
    at = next;
  }
  return undefined;
}

const earliest = (dates: readonly Date[]): Date | undefined => dates.toSorted((a, b) => a.getTime() - b.getTime())[0];
const latest = (dates: readonly Date[]): Date | undefined => dates.toSorted((a, b) => b.getTime() - a.getTime())[0];

/** What holds each of these addresses now. */
export function holdsOf(rules: readonly HoldRule[], addresses: Iterable<string>, now: Date): Holds {
  if (rules.every(({ suspend, maintenance }) => !suspend && !maintenance)) return NO_HOLDS;
  const found = [...addresses].flatMap((address) => {
    const hold = holdOf(rules, address, now);
    return hold ? [[address, hold] as const] : [];
  });
  return new Map(found);
}

/** Whether two versions differ in anything that an instance is made or kept by. */
export function differs(a: Workload, b: Workload | undefined): boolean {
  if (!b || a.hash !== b.hash) return true;
  const [left, right] = [a, b].map((one) => JSON.stringify({ ...one, commit: '', accepted: undefined }, sorted));
  return left !== right;
}

const sorted = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

/** When the first of the windows opens that something waits for. */
export function firstOpening(held: Holds): Date | undefined {
  return earliest([...held.values()].flatMap(({ opensAt }) => opensAt ?? []));
}
