/** What was refused lately, and why: for `slipway explain denied`. The audit log has it for longer. */
import type { Decision } from '../schemas/access.ts';
import type { Trace } from './audit/trace.ts';
import type { Denial } from '../schemas/operate.ts';

/** Of callers who are known, and of strangers; the oldest goes first. */
const MAX_KEPT = 1_000;
const MAX_STRANGE = 200;
/** What a stranger may have remembered of what it sent (characters). */
const MAX_TEXT = 256;

export class Denials {
  readonly #kept = new Map<string, Denial>();
  /** Apart, so that a flood of bad tokens pushes out nothing else. */
  readonly #strange = new Map<string, Denial>();

  add(trace: Trace, commit: string): void {
    const { requestId, at, principal, grant, method, project, server, tool, deniedReason, said, detail } = trace;
    const [kept, most] = principal === undefined ? [this.#strange, MAX_STRANGE] : [this.#kept, MAX_KEPT];
    kept.set(requestId, {
      requestId,
      at: new Date(at).toISOString(),
      principal,
      method: method.slice(0, MAX_TEXT),
      project,
      server,
      tool: tool?.slice(0, MAX_TEXT),
      reason: deniedReason ?? 'forbidden',
      message: said?.slice(0, MAX_TEXT),
      roles: grant?.roles,
      given: grant?.given,
      decision: detail?.['decision'] as Decision | undefined,
      commit,
    });
    if (kept.size <= most) return;
    for (const oldest of kept.keys()) return void kept.delete(oldest);
  }

  find(requestId: string): Denial | undefined {
    return this.#kept.get(requestId) ?? this.#strange.get(requestId);
  }
}
