/** Limits as configs write them, made into numbers for the snapshot. */
import { bytes, timerMs } from '../schemas/kinds/fields.ts';
import type { GatewayLimitsSpec, LimitsSpec, RateSpec, ServerLimitsSpec } from '../schemas/kinds/fields/limits.ts';
import type { LimitSet, Rate, SnapshotLimits } from '../schemas/limits.ts';
import type { Draft } from './kinds/kind.ts';

/** A level that one set of limits stands for by name. */
type Named = 'principals' | 'projects' | 'servers';

/** What is not written down is not limited, but for addresses, which have their defaults. */
export function gatewayLimits({ perPrincipal, perAddress, ...own }: GatewayLimitsSpec): SnapshotLimits {
  const { requests, failures, ...rest } = perAddress;
  const gateway = limitSet(own);
  return {
    ...(Object.keys(gateway).length > 0 ? { gateway } : {}),
    ...(perPrincipal ? { perPrincipal: limitSet(perPrincipal) } : {}),
    perAddress: { ...rest, failures: rateOf(failures), ...(requests ? { requests: rateOf(requests) } : {}) },
  };
}

export function addLimits(draft: Draft, level: Named, name: string, spec: LimitsSpec | undefined): void {
  if (spec) draft.limits = { ...draft.limits, [level]: { ...draft.limits?.[level], [name]: limitSet(spec) } };
}

export function addServerLimits(draft: Draft, server: string, spec: ServerLimitsSpec | undefined): void {
  if (!spec) return;
  const { tools, ...own } = spec;
  addLimits(draft, 'servers', server, own);
  if (tools.length === 0) return;
  const rules = tools.map(({ pattern, ...limits }) => ({ pattern, limits: limitSet(limits) }));
  draft.limits = { ...draft.limits, tools: { ...draft.limits?.tools, [server]: rules } };
}

function limitSet({ rate, concurrency, streams, bodySize, timeout, resultSize }: LimitsSpec): LimitSet {
  return {
    ...(rate ? { rate: rateOf(rate) } : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(streams === undefined ? {} : { streams }),
    ...(bodySize === undefined ? {} : { bodyBytes: bytes(bodySize) }),
    ...(timeout === undefined ? {} : { timeoutMs: timerMs(timeout) }),
    ...(resultSize === undefined ? {} : { resultBytes: bytes(resultSize) }),
  };
}

function rateOf({ perSecond, burst }: RateSpec): Rate {
  return { perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond)) };
}
