/** What is to be said of one server: is it ready, and if not, why, in words that a person can act on. Pure. */
import { reasonOf, type SlipwayError } from '../schemas/errors.ts';
import type { Condition, UpstreamStatus } from '../schemas/status.ts';
import type { Applied } from './applied.ts';
import { OUT_OF_MEMORY, type Instance } from './drivers/driver.ts';
import type { Hold } from './holds.ts';
import { driftOf } from './plan.ts';
import type { Served } from './publish.ts';
import { quoted } from './rollout/last-words.ts';
import { surfaceText } from './rollout/surface.ts';
import type { Draft, Facts } from './status.ts';
import type { Workload } from './workload.ts';

/** Restarts from which on a crash is no accident. */
const LOOP = 3;

export const ready = (status: Condition['status'], reason: string, message: string): Draft => ({
  type: 'Ready',
  status,
  reason,
  message,
});

export function serverConditions(
  address: string,
  workload: Workload | undefined,
  instances: readonly Instance[],
  facts: Facts,
): Draft[] {
  if (!workload) return [ready('True', 'Remote', 'runs elsewhere')];
  const error = facts.errors.get(address);
  const served = facts.served.get(address);
  if (error && served && served.readiness.hash === workload.hash)
    return [ready('False', reasonOf(error.code), `${error.message} What runs keeps serving.`), stalled(error)];
  if (error && served)
    return [ready('False', 'RolledBack', `${error.message} The previous version keeps serving.`), stalled(error)];
  if (error) return [ready('False', reasonOf(error.code), error.message), stalled(error)];
  const bad = crashed(instances, facts) ?? unready(served, facts);
  const waits = waitsFor(address, facts);
  if (bad) return [bad];
  if (served) {
    const canary = progress(address, workload, served, facts);
    return [ready('True', 'Succeeded', praise(served, facts)), ...(canary.length > 0 ? canary : waits)];
  }
  const hold = facts.held.get(address);
  if (hold?.reason === 'Suspended') return [ready('False', hold.reason, hold.message)];
  if (waits[0]) return [ready('Unknown', waits[0].reason, waits[0].message), ...waits];
  return [
    ready('Unknown', 'Progressing', 'it is starting'),
    { type: 'Reconciling', status: 'True', reason: 'Progressing', message: 'it is starting' },
  ];
}

function waitsFor(address: string, { waiting, held }: Facts): Draft[] {
  const dependency = waiting.get(address);
  const hold = held.get(address);
  const step = (reason: string, message: string): Draft[] => [{ type: 'Reconciling', status: 'True', reason, message }];
  if (dependency !== undefined) return step(reasonOf('dependency-not-ready'), `it waits for ${dependency} to be ready`);
  return hold?.reason === 'OutsideWindow' ? step(hold.reason, hold.message) : [];
}

/** Told where somebody said that what runs is to be left alone, with the commit that said so. */
export function suspended(hold: Hold | undefined, { suspended: since = {} }: Applied): Draft[] {
  if (hold?.reason !== 'Suspended') return [];
  const commit = since[hold.from];
  const when = commit
    ? ` since commit ${commit.id.slice(0, 12)}${commit.subject === undefined ? '' : ` ${commit.subject}`}`
    : '';
  return [
    {
      type: 'Suspended',
      status: 'True',
      reason: 'Suspended',
      message: `${hold.message}${when}: what runs is left alone`,
    },
  ];
}

/** One that keeps crashing is told of although others may serve; one that crashed once, only if it was the only one. */
function crashed(instances: readonly Instance[], { lastLines }: Facts): Draft | undefined {
  const down = instances.filter((instance) => instance.state === 'crashed');
  const loop = down.find((instance) => instance.restarts >= LOOP);
  const worst = loop ?? (down.length === instances.length ? down[0] : undefined);
  if (!worst) return undefined;
  const { id, lastError = 'it crashed', restarts } = worst;
  const memory = lastError.startsWith(OUT_OF_MEMORY);
  const message = loop
    ? `${id}: ${lastError.replace(/\.$/, '')}; it was restarted ${restarts} times, with growing pauses.`
    : `${id}: ${lastError.replace(/\.$/, '')}.`;
  const reason = memory ? 'OutOfMemory' : loop ? 'CrashLoop' : 'Crashed';
  return ready('False', reason, message + quoted(lastLines(id)));
}

function unready(served: Served | undefined, { health }: Facts): Draft | undefined {
  const whys = served?.endpoints.map(({ id }) => health(id).unready) ?? [];
  const [why] = whys;
  return why !== undefined && !whys.includes(undefined) ? ready('False', 'Unready', why) : undefined;
}

/** How many tools, and what somebody should know who used the version before. */
function praise({ readiness, endpoints }: Served, { health }: Facts): string {
  const changes = readiness.surface ? surfaceText(readiness.surface) : '';
  const out = endpoints.filter(({ id }) => health(id).unready !== undefined);
  return [
    `${readiness.tools.length} tools`,
    ...(changes === '' ? [] : [`since the version before: ${changes}`]),
    ...(out.length === 0 ? [] : [`${out.length} of ${endpoints.length} instances not ready: ${out[0]?.id}`]),
  ].join('; ');
}

function progress(address: string, { rollout, hash }: Workload, { canary }: Served, facts: Facts): Draft[] {
  const stage = facts.canaries.get(address);
  if (stage?.hash !== hash || !canary) return [];
  const sum = { calls: 0, errors: 0 };
  for (const id of canary.endpoints) {
    const { calls, errors } = facts.tally(id);
    sum.calls += calls;
    sum.errors += errors;
  }
  const step = `step ${stage.step + 1} of ${rollout.canary?.steps.length ?? 0}`;
  const message = `${step}: ${canary.weight} % of the sessions use the new version; ${sum.errors} of its ${sum.calls} calls failed`;
  return [{ type: 'Reconciling', status: 'True', reason: 'Canary', message }];
}

/** Told where a driver says how far its instances are shut in. */
export function isolation(instances: readonly Instance[]): Draft[] {
  const claims = instances.flatMap(({ exposed }) => (exposed ? [exposed] : []));
  if (claims.length === 0) return [];
  const exposed = [...new Set(claims.flat())];
  if (exposed.length > 0)
    return [{ type: 'Isolated', status: 'False', reason: 'Exposed', message: exposed.join('; ') }];
  return [{ type: 'Isolated', status: 'True', reason: 'ShutIn', message: 'as far as its runtime can' }];
}

/** Told where a remote server lets somebody in only after a person has consented. */
export function authorized(upstreams: readonly UpstreamStatus[]): Draft[] {
  const locked = upstreams.filter(({ needsAuthorization }) => needsAuthorization !== undefined);
  if (locked.length === 0) return [];
  const whom = [...new Set(locked.flatMap(({ principal }) => principal ?? []))];
  const why = 'A person must consent first: call one of its tools for the address';
  const message = whom.length === 0 ? why : `${why}, as ${whom.join(', ')}`;
  return [{ type: 'Authorized', status: 'False', reason: reasonOf('needs-authorization'), message }];
}

/** Told where nobody will heal it. What is healed is on its way, and shows in the other conditions. */
export function drifted(
  address: string,
  workload: Workload | undefined,
  instances: readonly Instance[],
  facts: Facts,
): Draft[] {
  const serves = workload && facts.served.get(address)?.readiness.hash === workload.hash;
  if (!serves || workload.drift === 'enforce' || facts.working || facts.held.has(address)) return [];
  const message = driftOf(workload, instances)
    .map(({ instance, reason }) => `${instance}: ${reason}`)
    .join('; ');
  return message === '' ? [] : [{ type: 'Drifted', status: 'True', reason: 'ChangedByHand', message }];
}

function stalled(error: SlipwayError): Draft {
  const retried = error.row.next === 'retry';
  return {
    type: retried ? 'Reconciling' : 'Stalled',
    status: 'True',
    reason: reasonOf(error.code),
    message: error.hint,
  };
}
