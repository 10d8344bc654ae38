/**
 * Refusals of one caller that come in masses are told one by one at first, and then counted. Without that, whoever sends
 * nothing but bad tokens writes our disk full.
 */
import { networkOf } from '../../../schemas/address.ts';
import type { AuditDraft } from '../../../schemas/audit.ts';

/** How long is counted (ms), and how many are told before, of one caller and of all. */
const WINDOW = 10_000;
const TOLD = 20;
const TOLD_OF_ALL = 1000;
/** How many callers are told apart. */
const MAX_CALLERS = 1000;

interface Bucket {
  told: number;
  /** Those that were not told. */
  counted: number;
  /** What they have in common. Not the first of them itself: it may hold megabytes. */
  readonly common: AuditDraft;
  last: number;
}

/** Callers, and what was told of all of them. */
class Crowd {
  readonly buckets = new Map<string, Bucket>();
  told = 0;
}

export class Flood implements Disposable {
  /** Apart: what strangers do, from however many addresses, hides nothing of what those do who are known. */
  #strangers = new Crowd();
  #known = new Crowd();
  readonly #tell: (summary: AuditDraft) => void;
  readonly #window: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell is given one event for all that were only counted */
  constructor(tell: (summary: AuditDraft) => void, windowMs = WINDOW) {
    this.#tell = tell;
    this.#window = windowMs;
  }

  /** Whether this refusal is told by itself. */
  passes(draft: AuditDraft): boolean {
    this.#timer ??= setTimeout(() => this[Symbol.dispose](), this.#window).unref();
    const isStrange = draft.principal === undefined && draft.address !== undefined;
    const crowd = isStrange ? this.#strangers : this.#known;
    const bucket = bucketOf(draft, crowd.buckets);
    if (bucket.told < TOLD && crowd.told < TOLD_OF_ALL) {
      bucket.told++;
      crowd.told++;
      return true;
    }
    bucket.counted++;
    bucket.last = draft.at;
    return false;
  }

  /** Tells what was counted so far. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const buckets = [...this.#known.buckets.values(), ...this.#strangers.buckets.values()];
    [this.#strangers, this.#known] = [new Crowd(), new Crowd()];
    for (const bucket of buckets) if (bucket.counted > 0) this.#tell(summaryOf(bucket));
  }
}

function bucketOf(draft: AuditDraft, buckets: Map<string, Bucket>): Bucket {
  const { principal, address = '', kind, deniedReason } = draft;
  const key = `${principal ?? networkOf(address)} ${kind} ${deniedReason}`;
  const free = buckets.size < MAX_CALLERS ? key : `others ${kind}`;
  const found = buckets.get(key) ?? buckets.get(free);
  if (found) return found;
  const fresh = { told: 0, counted: 0, common: commonTo(draft, free === key), last: draft.at };
  buckets.set(free, fresh);
  return fresh;
}

/** What each asked for is not kept. @param isOne whether all are of one caller; else nobody is named for what others did */
function commonTo(draft: AuditDraft, isOne: boolean): AuditDraft {
  const { at, kind, source, outcome, requestId, principal, address, allowed, deniedReason, status, commit } = draft;
  const one = isOne ? { principal, address, deniedReason, status } : { deniedReason: 'various' };
  return { at, kind, source, outcome, requestId, ...one, allowed, commit, method: 'summary' };
}

const summaryOf = ({ common, counted, last }: Bucket): AuditDraft => ({
  ...common,
  at: last,
  detail: { count: counted, since: new Date(common.at).toISOString() },
});
