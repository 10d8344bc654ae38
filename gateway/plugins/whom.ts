/** Whom a hook runs for. */
import type { AuditLevel } from '../../schemas/audit.ts';
import type { Changeable } from '../../schemas/code-questions.ts';
import type { Call } from '../era/era.ts';
import type { Caller, State } from '../exchange.ts';
import { tellChanged } from '../sessions/changed.ts';
import { LISTS } from '../upstream/lists.ts';
import type { Server } from '../upstream/server.ts';

/** Not the request itself: what a session keeps must not keep that. */
export interface Whom {
  readonly state: State;
  readonly path: string;
  readonly project: string | undefined;
  readonly principal: string;
  readonly session: string | undefined;
  readonly commit: string;
  readonly requestId: string;
  readonly correlationId: string | undefined;
  readonly method: string;
}

/** What it is about, for the audit log. */
export interface About {
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly level?: AuditLevel | undefined;
}

/** @param session that of the request, unless it has just begun one */
export function whomOf({ state, route, identity, generation, trace }: Caller, session = trace.session): Whom {
  return {
    state,
    path: route.path,
    project: route.project,
    principal: identity.key,
    session,
    commit: generation.snapshot.commit,
    requestId: trace.requestId,
    correlationId: trace.correlationId,
    method: trace.method,
  };
}

/** For hooks on a call: its client asks for a list again, and so for what hooks make of it. */
export const changedFor =
  (call: Call) =>
  (list: Changeable): void =>
    tellChanged(call, LISTS[list].changed);

export const aboutOf = (server: Server | undefined, tool?: string): About => ({
  server: server?.name,
  tool,
  level: server?.entry.audit,
});
