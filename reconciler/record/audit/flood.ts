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
  readonly first: AuditDraft;
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
    for (const { count, first, last } of buckets) if (count > TOLD) this.#tell(summaryOf(first, count - TOLD, last));
  }

  #bucketOf(draft: AuditDraft): Bucket {
    const { principal, address, kind, deniedReason } = draft;
    const key = `${principal ?? address} ${kind} ${deniedReason}`;
    const free = this.#buckets.size < MAX_CALLERS ? key : 'others';
    const found = this.#buckets.get(key) ?? this.#buckets.get(free);
    if (found) return found;
    const fresh = { count: 0, first: draft, last: draft.at };
    this.#buckets.set(free, fresh);
    this.#timer ??= setTimeout(() => this[Symbol.dispose](), this.#window).unref();
    return fresh;
  }
}

/** What they had in common; what each asked for is not kept. */
function summaryOf(first: AuditDraft, count: number, last: number): AuditDraft {
  const { kind, source, outcome, requestId, principal, address, allowed, deniedReason, status, commit } = first;
  return {
    at: last,
    kind,
    source,
    outcome,
    requestId,
    principal,
    address,
    allowed,
    deniedReason,
    status,
    commit,
    method: 'summary',
    detail: { count, since: new Date(first.at).toISOString() },
  };
}
