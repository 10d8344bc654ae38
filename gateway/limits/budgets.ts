/** Budgets: what may be used in a window of time, counted call by call and kept over restarts. */
import {
  AMOUNTS,
  accountSchema,
  savedBudgetsSchema,
  type Amounts,
  type BudgetEntry,
  type BudgetStatus,
  type BudgetWindow,
  type SavedAccount,
} from '../../schemas/budgets.ts';
import { glob } from '../../schemas/glob.ts';
import type { Log } from '../../schemas/log.ts';
import type { Store } from '../../schemas/store.ts';
import type { RouteView } from '../route-view.ts';
import type { Identity } from '../steps/authenticate.ts';
import { Account, shareOf } from './account.ts';
import { TokenCounter } from './tokens.ts';

/** How much a crash may forget: what was used within so long before it (ms). */
export const SAVE_EVERY = 1_000;

/** What a call is about, as far as budgets care. */
export interface Spending {
  readonly identity: Pick<Identity, 'key' | 'groups'>;
  readonly route: Pick<RouteView, 'path' | 'project'>;
  readonly server: string;
  /** None for what is no call of a tool. */
  readonly tool: string | undefined;
}

/** A budget, and the account of it that a call is charged to. */
export interface Charged {
  readonly budget: BudgetEntry;
  readonly subject: string | undefined;
  /** Of the account. */
  readonly key: string;
  readonly account: Account;
}

export interface BudgetsOptions {
  readonly store: Store | undefined;
  readonly log: Log;
  /** Unix time (ms): budgets go by the calendar. */
  readonly now?: () => number;
}

export class Budgets {
  readonly #store: Store | undefined;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #accounts = new Map<string, Account>();
  /** What an earlier process saved and nobody has asked for yet. */
  readonly #saved: Map<string, SavedAccount>;
  readonly #counter = new TokenCounter();
  /** What callers are charged to, by identity and route: the same for each of their calls, until an account goes. */
  #charges = new WeakMap<object, WeakMap<object, readonly Charged[]>>();
  #budgets: readonly BudgetEntry[] = [];
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor({ store, log, now = Date.now }: BudgetsOptions) {
    this.#store = store;
    this.#log = log;
    this.#now = now;
    this.#saved = savedIn(store?.read(), log);
  }

  /** Another snapshot is in force. What was used stays, where the window is still the same. */
  configure(budgets: readonly BudgetEntry[] = []): void {
    for (const budget of budgets) {
      const before = this.#budgets.find(({ name }) => name === budget.name);
      if (before && JSON.stringify(before.window) !== JSON.stringify(budget.window)) this.#drop(budget.name);
    }
    for (const { name } of this.#budgets) if (!budgets.some((budget) => budget.name === name)) this.#drop(name);
    this.#budgets = budgets;
    this.#charges = new WeakMap();
  }

  /** The accounts that a call is to be charged to; empty where none is about it. Takes nothing. */
  of({ identity, route }: Pick<Spending, 'identity' | 'route'>): readonly Charged[] {
    if (this.#budgets.length === 0) return NONE;
    let ofCaller = this.#charges.get(identity);
    if (!ofCaller) this.#charges.set(identity, (ofCaller = new WeakMap()));
    let charges = ofCaller.get(route);
    if (!charges) ofCaller.set(route, (charges = this.#chargesOf({ identity, route })));
    return charges;
  }

  #chargesOf({ identity, route }: Pick<Spending, 'identity' | 'route'>): readonly Charged[] {
    const found: Charged[] = [];
    for (const budget of this.#budgets) {
      if (!concerns(budget, identity, route.path)) continue;
      // Where each project has its own, a call through none has none.
      if (budget.per === 'project' && route.project === undefined) continue;
      found.push(this.#charged(budget, subjectOf(budget, identity, route.project)));
    }
    return found;
  }

  /** The one that is used up, so that the call must not be made. */
  exhausted(charges: readonly Charged[]): Charged | undefined {
    const now = this.#now();
    return charges.find(({ budget, account }) => budget.enforce && shareOf(budget, account.used(now)) >= 1);
  }

  /** How long until it begins anew, or some of it is forgotten (ms). */
  resetIn({ account }: Charged): number {
    const now = this.#now();
    return Math.max(1, account.resetAt(now) - now);
  }

  /** Counts the call itself, before it is made: those that run at the same time cannot go beyond it together. */
  take(charges: readonly Charged[], spending: Spending): void {
    for (const charge of charges) this.#add(charge, { calls: 1, cost: priceOf(charge.budget, spending).perCall });
  }

  /**
   * Counts the tokens of its result, when there is time. Calls that run meanwhile may go beyond the budget.
   * @param json asked for only where tokens matter
   */
  takeResult(charges: readonly Charged[], spending: Spending, json: () => string): void {
    if (!charges.some(({ budget }) => countsTokens(budget))) return;
    const priced = charges.map((charge) => ({ charge, per1k: priceOf(charge.budget, spending).per1kTokens }));
    const wanted = priced.filter(({ charge, per1k }) => charge.budget.tokens !== undefined || per1k > 0);
    if (wanted.length === 0) return;
    this.#counter.count(json(), (tokens) => {
      for (const { charge, per1k } of wanted) this.#add(charge, { tokens, cost: (tokens / 1000) * per1k });
    });
  }

  /** How it stands with all budgets that are in force. */
  statuses(): BudgetStatus[] {
    const now = this.#now();
    return this.#budgets.flatMap((budget) => {
      if (budget.per === 'all') return [statusOf(this.#charged(budget, undefined), now)];
      const prefix = `${budget.name} `;
      for (const key of this.#saved.keys()) if (key.startsWith(prefix)) this.#account(budget, key);
      return [...this.#accounts]
        .filter(([key, account]) => key.startsWith(prefix) && !account.isEmpty(now))
        .map(([key, account]) => statusOf({ budget, subject: key.slice(prefix.length), key, account }, now));
    });
  }

  status(charge: Charged): BudgetStatus {
    return statusOf(charge, this.#now());
  }

  /** Counts and writes what is left to. */
  async close(): Promise<void> {
    await this.#counter.idle();
    if (this.#timer !== undefined) this.#save();
    await this.#saving;
  }

  #charged(budget: BudgetEntry, subject: string | undefined): Charged {
    const key = subject === undefined ? budget.name : `${budget.name} ${subject}`;
    return { budget, subject, key, account: this.#account(budget, key) };
  }

  #account({ window }: BudgetEntry, key: string): Account {
    let account = this.#accounts.get(key);
    if (!account) {
      this.#accounts.set(key, (account = new Account(window, this.#saved.get(key))));
      this.#saved.delete(key);
    }
    return account;
  }

  #add(charge: Charged, amounts: Partial<Amounts>): void {
    const { budget, key } = charge;
    // Looked up anew: a call may last longer than its window, after which the account was forgotten.
    const account = this.#account(budget, key);
    const now = this.#now();
    // Some of it may be forgotten since.
    if (account.isUsedUp) account.isUsedUp = shareOf(budget, account.used(now)) >= 1;
    account.add(now, amounts);
    this.#timer ??= setTimeout(() => this.#save(), SAVE_EVERY).unref();
    const share = shareOf(budget, account.used(now));
    if (!account.warned && share >= budget.warnAt) {
      account.warned = account.unsaid = true;
      this.#log('warn', 'a budget comes to its end', told(statusOf(charge, now)));
    }
    if (share >= 1 && !account.isUsedUp) this.#log('warn', 'a budget is used up', told(statusOf(charge, now)));
    account.isUsedUp = share >= 1;
  }

  #drop(name: string): void {
    for (const key of [...this.#accounts.keys(), ...this.#saved.keys()])
      if (key === name || key.startsWith(`${name} `)) {
        this.#accounts.delete(key);
        this.#saved.delete(key);
      }
    this.#charges = new WeakMap();
  }

  /** One after the other. What cannot be written is written with what comes next. */
  #save(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = this.#now();
    const empty = [...this.#accounts].filter(([, account]) => account.isEmpty(now));
    for (const [key] of empty) this.#accounts.delete(key);
    if (empty.length > 0) this.#charges = new WeakMap();
    for (const [key, saved] of this.#saved) if (isOver(saved, now)) this.#saved.delete(key);
    const accounts = { ...Object.fromEntries(this.#saved), ...Object.fromEntries(this.#accounts) };
    const json = JSON.stringify({ formatVersion: 1, accounts });
    this.#saving = this.#saving
      .then(() => this.#store?.write(json))
      .catch((error: unknown) =>
        this.#log('error', 'what was used of budgets cannot be written', { error: String(error) }),
      );
  }
}

const NONE: readonly Charged[] = [];

const countsTokens = ({ tokens, prices }: BudgetEntry): boolean =>
  tokens !== undefined || prices.some(({ per1kTokens }) => per1kTokens > 0);

function savedIn(file: unknown, log: Log): Map<string, SavedAccount> {
  if (file === undefined) return new Map();
  const { success, data } = savedBudgetsSchema.safeParse(file);
  if (!success) log('warn', 'what was used of budgets cannot be read: all begin anew');
  const accounts = new Map<string, SavedAccount>();
  for (const [key, saved] of Object.entries(data?.accounts ?? {})) {
    const account = accountSchema.safeParse(saved);
    if (account.success) accounts.set(key, account.data);
    else log('warn', 'what was used of a budget cannot be read: it begins anew', { budget: key });
  }
  return accounts;
}

/** Nothing can begin again in a window that cannot be read, either. */
function isOver(saved: SavedAccount, now: number): boolean {
  try {
    return new Account(JSON.parse(saved.window) as BudgetWindow, saved).isEmpty(now);
  } catch {
    return true;
  }
}

function concerns({ principals, groups, routes }: BudgetEntry, who: Spending['identity'], path: string): boolean {
  if (principals.length + groups.length + routes.length === 0) return true;
  if (principals.includes(who.key)) return true;
  if (routes.includes(path)) return true;
  return who.groups.some((group) => groups.includes(group));
}

function subjectOf(
  { per }: BudgetEntry,
  { key }: Spending['identity'],
  project: string | undefined,
): string | undefined {
  if (per === 'all') return undefined;
  return per === 'principal' ? key : project;
}

function priceOf({ prices }: BudgetEntry, { server, tool = '' }: Spending): { perCall: number; per1kTokens: number } {
  const found = prices.findLast((price) => glob(price.server)(server) && glob(price.tool)(tool));
  return found ?? { perCall: 0, per1kTokens: 0 };
}

function statusOf({ budget, subject, account }: Charged, now: number): BudgetStatus {
  const used = account.used(now);
  const share = shareOf(budget, used);
  return {
    budget: budget.name,
    ...(subject === undefined ? {} : { subject }),
    used,
    limits: Object.fromEntries(AMOUNTS.flatMap((name) => (budget[name] === undefined ? [] : [[name, budget[name]]]))),
    share,
    state: share >= 1 ? 'exhausted' : share >= budget.warnAt ? 'warning' : 'ok',
    mode: budget.enforce ? 'enforce' : 'warn',
    resetAt: account.resetAt(now),
  };
}

const told = ({ budget, subject, used, limits }: BudgetStatus): Record<string, unknown> => ({
  budget,
  subject,
  used,
  limits,
});
