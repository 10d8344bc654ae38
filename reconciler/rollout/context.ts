/** What a rollout is given, and what comes of it. */
import type { SlipwayError } from '../../schemas/errors.ts';
import type { Log } from '../../schemas/log.ts';
import type { Readiness, Trial } from '../applied.ts';
import type { Compiled } from '../compile.ts';
import type { Driver, Instance } from '../drivers/driver.ts';
import type { Holds } from '../holds.ts';
import type { Failure } from '../plan.ts';
import type { Served, Traffic } from '../publish.ts';
import type { Workload } from '../workload.ts';
import type { Canaries } from './canary.ts';
import type { SurfaceChange } from './surface.ts';

export interface ApplyContext {
  readonly desired: Compiled;
  /** The last good version of everything, to fall back to. */
  readonly base: Compiled;
  /** What the drivers observe, no older than the call. */
  readonly list: () => Promise<Instance[]>;
  readonly drivers: ReadonlyMap<string, Driver>;
  /** What serves each address; changed as rollouts go on. */
  readonly served: Map<string, Served>;
  /** What is known of versions that were ready before. */
  readonly known: Readonly<Record<string, Readiness>>;
  readonly failures: Readonly<Record<string, Failure>>;
  /** Versions that took over a moment ago, with those that they replaced; as it is known now. */
  readonly trials: () => Readonly<Record<string, Trial>>;
  readonly canaries: Canaries;
  /** Why a version that serves, wholly or in part, has gone bad since it does; `undefined` if it has not. */
  readonly judge: (workload: Workload, instances: readonly Instance[]) => string | undefined;
  /** Remembers, on disk, that a version went bad, or that another of its group did. */
  readonly condemn: (workload: Workload, verdict: SlipwayError, culprit?: Workload) => void;
  /** Addresses whose instances are left alone while they serve, whatever was done to them by hand. */
  readonly tolerated: ReadonlySet<string>;
  /** What keeps instances from being touched, by address. */
  readonly holds: Holds;
  /** Who waits for whom at the moment: address → address of what it depends on. */
  readonly waiting: Map<string, string>;
  /** Called after such facts changed. */
  readonly changed: () => void;
  /** Publishes what is served now. */
  readonly publish: () => Promise<Traffic>;
  readonly version: string;
  readonly log: Log;
}

export interface Outcome {
  readonly address: string;
  readonly result:
    | 'unchanged'
    | 'started'
    | 'progressing'
    | 'replaced'
    | 'scaled'
    | 'removed'
    | 'rolledBack'
    | 'failed'
    | 'blocked'
    /** It waits: `holds` says for what. */
    | 'held';
  readonly ms: number;
  readonly error?: SlipwayError;
  /** Something that gets no more calls could not be removed yet. */
  readonly unfinished?: boolean;
  /** How the tools differ from those of the version before. */
  readonly surface?: SurfaceChange;
}

/** What changed nothing that runs. */
export const LEFT_ALONE: ReadonlySet<string> = new Set(['unchanged', 'blocked', 'held']);

/** What came of one workload, before it is known how long it took. */
export type Result = Pick<Outcome, 'result' | 'surface' | 'unfinished'>;
