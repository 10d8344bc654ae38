/** Whom a server has sent to a web page (URL-mode elicitation): it says that they are done when no call may be in flight. */
import { RpcFailure } from '../../schemas/jsonrpc.ts';

/** What a server answers to a call that needs such a visit first. */
export const URL_ELICITATION_REQUIRED = -32_042;
/** Bounds the memory; beyond it the oldest is forgotten first, and its end is not told. */
const MAX_REMEMBERED = 10_000;

export class Elicitations {
  readonly #sessions = new Map<string, string>();

  add(server: string, id: unknown, sessionId: string): void {
    if (typeof id !== 'string') return;
    this.#sessions.set(JSON.stringify([server, id]), sessionId);
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MAX_REMEMBERED) break;
      this.#sessions.delete(oldest);
    }
  }

  /** Notes those that an error names, if it is one that does. */
  addRequired(server: string, error: unknown, sessionId: string): void {
    if (!(error instanceof RpcFailure) || error.error.code !== URL_ELICITATION_REQUIRED) return;
    const named = (error.error.data as { elicitations?: unknown } | undefined)?.elicitations;
    if (!Array.isArray(named)) return;
    for (const elicitation of named as ({ elicitationId?: unknown } | null)[])
      this.add(server, elicitation?.elicitationId, sessionId);
  }

  /** The session that it was for; told once. */
  take(server: string, id: unknown): string | undefined {
    const key = JSON.stringify([server, id]);
    const sessionId = this.#sessions.get(key);
    this.#sessions.delete(key);
    return sessionId;
  }
}
