/**
 * Refusals of one caller that come in masses are told one by one at first, and then counted. Without that, whoever sends
 * nothing but bad tokens writes our disk full.
 */
import type { AuditDraft } from '../../../schemas/audit.ts';

/** How long is counted (ms), how many are told before, and how many callers are told apart. */
const WINDOW = 10_000;
const TOLD = 20;
const MAX_CALLERS = 1000;

interface Bucket {
  count: number;
  /** What they have in common. Not the first of them itself: it may hold megabytes. */
  readonly common: AuditDraft;
  last: number;
}

export class Flood implements Disposable {
  readonly #buckets = new Map<string, Bucket>();
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
    const bucket = this.#bucketOf(draft);
    bucket.count++;
    bucket.last = draft.at;
    return bucket.count <= TOLD;
  }

  /** Tells what was counted so far. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const buckets = [...this.#buckets.values()];
    this.#buckets.clear();
    for (const { count, common, last } of buckets) if (count > TOLD) this.#tell(summaryOf(common, count - TOLD, last));
  }

  #bucketOf(draft: AuditDraft): Bucket {
    const { principal, address, kind, deniedReason } = draft;
    const key = `${principal ?? address} ${kind} ${deniedReason}`;
    const free = this.#buckets.size < MAX_CALLERS ? key : `others ${kind}`;
    const found = this.#buckets.get(key) ?? this.#buckets.get(free);
    if (found) return found;
    const fresh = { count: 0, common: commonTo(draft, free === key), last: draft.at };
    this.#buckets.set(free, fresh);
    this.#timer ??= setTimeout(() => this[Symbol.dispose](), this.#window).unref();
    return fresh;
  }
}

/** What each asked for is not kept. @param isOne whether all are of one caller; else nobody is named for what others did */
function commonTo(draft: AuditDraft, isOne: boolean): AuditDraft {
  const { at, kind, source, outcome, requestId, principal, address, allowed, deniedReason, status, commit } = draft;
  const one = isOne ? { principal, address, deniedReason, status } : { deniedReason: 'various' };
  return { at, kind, source, outcome, requestId, ...one, allowed, commit, method: 'summary' };
}

const summaryOf = (common: AuditDraft, count: number, last: number): AuditDraft => ({
  ...common,
  at: last,
  detail: { count, since: new Date(common.at).toISOString() },
});
