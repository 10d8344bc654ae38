/** What a call has to do with budgets: whether it may be made, what it is charged, and who is told. */
import type { SlipwayError } from '../../schemas/errors.ts';
import { parseExact } from '../../schemas/exact-json.ts';
import { AMOUNTS, type BudgetStatus } from '../../schemas/budgets.ts';
import type { Call } from '../era/era.ts';
import { lineOf, type Json } from '../rpc/json.ts';
import type { Server } from '../upstream/server.ts';
import { policyResult } from './allowance.ts';
import type { Budgets, Charged, Spending } from './budgets.ts';

/** What brings something from a server before a model. A status of a task may bring what the task came to. */
const COUNTED: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'tasks/result',
  'tasks/get',
]);

/** A call that budgets are about. */
export class Spend {
  /** Absent: it may be made. */
  readonly refusal: SlipwayError | undefined;
  readonly #call: Call;
  readonly #charges: readonly Charged[];
  readonly #spending: Spending;

  constructor(call: Call, charges: readonly Charged[], spending: Spending) {
    this.#call = call;
    this.#charges = charges;
    this.#spending = spending;
    const over = this.#budgets.exhausted(charges);
    this.refusal = over && refusalOf(call, over);
  }

  /** It is made. What a task has done is no call of its own: only what it brings is counted. */
  take(): void {
    if (this.#call.request.method.startsWith('tasks/')) return;
    this.#budgets.take(this.#charges, this.#spending);
  }

  /** It was answered. @returns the answer, with a word on budgets that come to their end */
  answered(json: Json): Json {
    this.#budgets.takeResult(this.#charges, this.#spending, () => lineOf(json));
    return this.#charges.some(({ account }) => account.unsaid) ? this.#withNotice(lineOf(json)) : json;
  }

  get #budgets(): Budgets {
    return this.#call.caller.state.budgets;
  }

  #withNotice(json: string): string {
    const { trace } = this.#call;
    const unsaid = this.#charges.filter(({ account }) => account.unsaid);
    const notices = unsaid.map((charge) => noticeOf(this.#budgets.status(charge)));
    for (const { account } of unsaid) account.unsaid = false;
    trace.detail = { ...trace.detail, budgets: notices };
    const result = parseExact(json) as { _meta?: object };
    return JSON.stringify({ ...result, _meta: { ...result._meta, 'slipway/budgets': notices } });
  }
}

/** `undefined` where no budget is about it. @param tool its own name at the server; none for what is no call of a tool, nor a task of one */
export function spendOf(call: Call, server: Pick<Server, 'name'>, tool: string | undefined): Spend | undefined {
  if (!COUNTED.has(call.request.method)) return undefined;
  const { state, identity, route } = call.caller;
  const charges = state.budgets.of({ identity, route });
  return charges.length === 0 ? undefined : new Spend(call, charges, { identity, route, server: server.name, tool });
}

function refusalOf({ caller: { state } }: Call, charge: Charged): SlipwayError {
  const status = state.budgets.status(charge);
  const why = `budget ${status.budget} is used up (${wordsFor(status)}) until ${new Date(status.resetAt).toISOString()}`;
  const level = { level: 'budget', name: status.budget } as const;
  return state.limiter.refused('budget-exhausted', level, why, state.budgets.resetIn(charge));
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
