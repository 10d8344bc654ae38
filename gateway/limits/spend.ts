/** What a call has to do with budgets: whether it may be made, what it is charged, and who is told. */
import type { SlipwayError } from '../../schemas/errors.ts';
import { AMOUNTS, type BudgetStatus } from '../../schemas/budgets.ts';
import type { Call } from '../era/era.ts';
import { lineOf, type Json } from '../rpc/json.ts';
import type { Server } from '../upstream/server.ts';
import { policyResult } from './allowance.ts';
import type { Charged, Spending } from './budgets.ts';

/** What brings something from a server before a model. */
const COUNTED: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

/** A call that budgets are about. */
export interface Spend {
  /** Absent: it may be made. */
  readonly refusal: SlipwayError | undefined;
  /** It is made. */
  take(): void;
  /** It was answered. @returns the answer, with a word on budgets that come to their end */
  answered(json: Json): Json;
}

/** `undefined` where no budget is about it. @param tool its own name at the server; none for what is no call of a tool */
export function spendOf(
  { caller, request, trace }: Call,
  server: Pick<Server, 'name'>,
  tool: string | undefined,
): Spend | undefined {
  const { budgets, limiter } = caller.state;
  const { identity, route } = caller;
  const charges = budgets.of({ identity, route });
  if (charges.length === 0 || !COUNTED.has(request.method)) return undefined;
  const spending: Spending = { identity, route, server: server.name, tool };
  const over = budgets.exhausted(charges);
  return {
    refusal: over && refusalOf(over),
    take: () => budgets.take(charges, spending),
    answered: (json) => {
      budgets.takeResult(charges, spending, () => lineOf(json));
      return charges.some(({ account }) => account.unsaid) ? withNotice(lineOf(json), charges) : json;
    },
  };

  function refusalOf(charge: Charged): SlipwayError {
    const status = budgets.status(charge);
    const why = `budget ${status.budget} is used up (${wordsFor(status)}) until ${new Date(status.resetAt).toISOString()}`;
    return limiter.refused('budget-exhausted', { level: 'budget', name: status.budget }, why, budgets.resetIn(charge));
  }

  function withNotice(json: string, all: readonly Charged[]): string {
    const notices = all.filter(({ account }) => account.unsaid).map((charge) => noticeOf(budgets.status(charge)));
    for (const { account } of all) account.unsaid = false;
    trace.detail = { ...trace.detail, budgets: notices };
    const result = JSON.parse(json) as { _meta?: object };
    return JSON.stringify({ ...result, _meta: { ...result._meta, 'slipway/budgets': notices } });
  }
}

/** For the call of a tool, a result that a model can read. @throws the refusal, for other calls */
export async function refused(call: Call, server: Server | undefined, refusal: SlipwayError): Promise<Json> {
  if (call.request.method !== 'tools/call') throw refusal;
  call.trace.detail = { limit: refusal.details?.limit };
  call.trace.denied(refusal.code, 'budget');
  return call.encode(policyResult(refusal.message, 'budget', refusal), server);
}

function noticeOf({ budget, used, limits, share, resetAt }: BudgetStatus): Record<string, unknown> {
  return { budget, used, limits, share, resetAt: new Date(resetAt).toISOString() };
}

/** `100 of 100 calls`. */
function wordsFor({ used, limits }: BudgetStatus): string {
  const parts = AMOUNTS.flatMap((name) => {
    const limit = limits[name];
    return limit === undefined ? [] : [`${Number(used[name].toFixed(3))} of ${limit} ${NAMES[name]}`];
  });
  return parts.join(', ');
}

const NAMES = { calls: 'calls', tokens: 'tokens', cost: 'units' } as const;
