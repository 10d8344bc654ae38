/** An audit log in memory. */
import type { AuditDraft, AuditSink } from '../../../schemas/audit.ts';

/** Keeps what it is given. */
export class Kept implements AuditSink {
  readonly events: AuditDraft[] = [];
  blocked = false;

  record(draft: AuditDraft): void {
    this.events.push(draft);
  }

  /** The last one; asked for after the answer came, for events are recorded when it was sent. */
  async last(count: number): Promise<AuditDraft | undefined> {
    while (this.events.length < count) await new Promise(setImmediate);
    return this.events.at(-1);
  }
}
